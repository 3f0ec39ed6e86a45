# SPDX-License-Identifier: Apache-2.0

"""Real processes of this project, to run and to kill, without paying for their imports each time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType

# Imports once; then each line on stdin is a program, which a fork runs as its main program to the interpreter's end
_SERVE = """
import gc, json, os, runpy, sys
import alembic.command, mlflow.store.tracking.sqlalchemy_store, sqlalchemy.orm, monai.bundle
import pipeline.bundle, pipeline.inference, pipeline.networks, pipeline.runs, pipeline.tracking
sqlalchemy.orm.configure_mappers()
gc.freeze()  # else each program looks at every object of these modules at its end, for seconds
print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    request = json.loads(line)
    if "poll" in request:
        pid, status = os.waitpid(request["poll"], os.WNOHANG)
        print(os.waitstatus_to_exitcode(status) if pid else "runs", flush=True)
    else:
        pid = os.fork()
        if pid == 0:
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.update(request["environment"])
            os.chdir(request["folder"])
            sys.argv[1:] = request["arguments"]
            break
        print(pid, flush=True)
if pid == 0:
    if "module" in request:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    else:
        exec(compile(request["program"], "program", "exec"), {"__name__": "__main__"})
"""


class Interpreter:
    """Starts programs, with one thread each, without a GPU, and without the user's ``MLFLOW_TRACKING_URI``."""

    def __init__(self, logs: Path) -> None:
        self._logs = (logs / f"{number}.log" for number in count())

    def __enter__(self) -> Interpreter:
        own = {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        environment = {**os.environ, **own}
        environment.pop("MLFLOW_TRACKING_URI", None)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._read() == "ready"
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()

    def start(self, program: str) -> Program:
        """Start the text of a program."""
        return self._start(program=program)

    def start_module(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        """Start ``python -m module`` with arguments, in a folder and with environment variables of its own."""
        return self._start(module=module, arguments=arguments, folder=folder, environment=environment)

    def _start(
        self,
        arguments: Sequence[str] = (),
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        **what: str,
    ) -> Program:
        log = next(self._logs)
        where = {"log": str(log), "folder": str(folder or Path.cwd()), "environment": dict(environment or {})}
        pid = int(self.ask(**what, **where, arguments=list(arguments)))
        return Program(self, pid, log)

    def ask(self, **request: object) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Program:
    """A program that runs, or has ended."""

    def __init__(self, interpreter: Interpreter, pid: int, log: Path) -> None:
        self._interpreter = interpreter
        self._log = log
        self.pid = pid
        self.status: int | None = None

    @property
    def output(self) -> str:
        """What it has written to stdout and stderr until now."""
        return self._log.read_text() if self._log.exists() else ""

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.status is None:
            answer = self._interpreter.ask(poll=self.pid)
            self.status = None if answer == "runs" else int(answer)
        return self.status

    def wait(self, seconds: float = 300.0) -> int:
        """Wait for the end, and return the exit status."""
        wait_until(lambda: self.poll() is not None, seconds)
        assert self.status is not None
        return self.status

    def finish(self) -> str:
        """Wait for the end, and return the output."""
        self.wait()
        return self.output

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that another process or thread does; give up loudly."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
