# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

# Imports once; then each line on stdin is a program, which a fork runs as its main program to the interpreter's end
_SERVE = """
import json, os, sys
import alembic.command, mlflow.store.tracking.sqlalchemy_store, sqlalchemy.orm, pipeline.tracking
sqlalchemy.orm.configure_mappers()
print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    request = json.loads(line)
    if "wait" in request:
        status = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        print(status, flush=True)
    else:
        pid = os.fork()
        if pid == 0:
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            break
        print(pid, flush=True)
if pid == 0:
    exec(compile(request["program"], "program", "exec"), {"__name__": "__main__"})
"""


class Interpreter:
    """Real processes to kill, without paying for MONAI's and MLflow's imports each time."""

    def __enter__(self) -> Interpreter:
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._read() == "ready"
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()

    def start(self, program: str, log: Path) -> int:
        """Run a program and return its process id; its output goes to ``log``."""
        return int(self._ask(program=program, log=str(log)))

    def wait(self, pid: int) -> int:
        """Wait for the end and return the exit status, negative for a signal."""
        return int(self._ask(wait=pid))

    def _ask(self, **request: object) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that another process or thread does; give up loudly."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
