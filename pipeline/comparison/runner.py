# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any

from .cell_folder import CellFolder, Status
from .data_list import DataList
from .matrix import ROOT

__all__ = ["Runner", "Task"]

_POLL = 0.2  # seconds between two looks at the processes
_GRACE = 60.0  # seconds that a cell has to save itself


@dataclass(frozen=True)
class Task:
    """A cell to run.

    Attributes:
        folder: its folder.
        command: what runs it.
        data: what it runs on.
    """

    folder: CellFolder
    command: list[str]
    data: DataList

    @property
    def name(self) -> str:
        return self.folder.cell.name


@dataclass(frozen=True)
class _Running:
    task: Task
    process: subprocess.Popen[bytes]
    slot: int
    started: float


class Runner:
    """Runs cells as processes, side by side, until all are finished, none can go on, or it is told to stop.

    A cell starts when those that it needs are finished. A failed cell stops only those that need it; those that failed
    before come last, so that they do not take the time of the others call after call. A cell that
    another runner has taken is left to it: its folder is locked as long as its process lives, even if the runner is
    killed.

    On SIGTERM, SIGINT, SIGHUP or at the end of its time it starts no cell any more, sends SIGTERM to those that run,
    which save themselves, and SIGKILL to those that still run a minute later, or at once after a second signal.

    Args:
        tasks: the cells, none before those that it needs.
        end: when to stop, as ``clock`` tells it; None when all is done.
        environments: variables for the cells that run side by side, one mapping for each.
        grace: seconds between SIGTERM and SIGKILL.
        clock: the time in seconds.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        end: float | None = None,
        environments: Sequence[Mapping[str, str]] = ({},),
        grace: float = _GRACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tasks = tasks
        self.environments = environments
        self.grace = grace
        self.end = end
        self.clock = clock
        self._begin = clock()
        self._queue = sorted(tasks, key=lambda task: task.folder.status() == Status.FAILED)
        self._slots = list(range(len(environments)))
        self._outcomes: dict[str, Status] = {}
        self._running: list[_Running] = []
        self._stop = ""  # why to stop; empty to go on
        self._kill_at: float | None = None

    def run(self) -> dict[str, Status]:
        """Run the cells; return what has become of each, by its name."""
        self._note_finished()
        with self._signals():
            try:
                while self._step():
                    time.sleep(_POLL)
            finally:
                for running in self._running:
                    running.process.terminate()
        return {task.name: self._outcome(task) for task in self.tasks}

    def _step(self) -> bool:
        """Do what is to be done now; return whether there will be more."""
        for running in list(self._running):
            if running.process.poll() is not None:
                self._reap(running)
        if self.end is not None and self.clock() >= self.end:
            self._stop = self._stop or "the time is up"
        if self._stop:
            self._stop_running()
        else:
            self._start_ready()
        return bool(self._running)

    def _note_finished(self) -> None:
        for task in self.tasks:
            if task.folder.result is not None:
                self._outcomes[task.name] = Status.FINISHED

    def _start_ready(self) -> None:
        going = {running.task.name for running in self._running}
        for task in self._queue:
            if not self._slots:
                return
            if task.name in self._outcomes or task.name in going:
                continue
            if all(need.result is not None for need in task.folder.needs.values()):
                self._start(task)

    def _start(self, task: Task) -> None:
        folder = task.folder
        folder.path.mkdir(parents=True, exist_ok=True)
        if not folder.lock.acquire():
            return
        if folder.result is not None:
            # another runner has finished it since
            folder.lock.release()
            self._outcomes[task.name] = Status.FINISHED
            return
        folder.check(task.data.fingerprint)
        folder.begin(task.command, task.data)
        slot = self._slots.pop(0)
        log = folder.open_log(task.command)
        try:
            process = subprocess.Popen(
                task.command,
                cwd=ROOT,
                env={**os.environ, **self.environments[slot]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # the process holds the lock too: it must not be run twice if this runner is killed
                pass_fds=[folder.lock.fileno()],
                # Ctrl-C in the terminal is for the runner, which tells its cells
                start_new_session=True,
            )
        finally:
            os.close(log)
        self._running.append(_Running(task, process, slot, self.clock()))
        self._say("started", task.name)

    def _reap(self, running: _Running) -> None:
        self._running.remove(running)
        self._slots = sorted([*self._slots, running.slot])
        folder, code = running.task.folder, running.process.returncode
        # torchrun ends with 1 when it is stopped
        stopped = (-signal.SIGKILL, 1) if "torch.distributed.run" in running.task.command else (-signal.SIGKILL,)
        if self._stop and code in stopped:
            code = -signal.SIGTERM  # our own doing
        outcome = folder.end(code)
        folder.lock.release()
        self._outcomes[running.task.name] = outcome
        took = timedelta(seconds=int(self.clock() - running.started))
        left = sum(self._outcomes.get(task.name) != Status.FINISHED for task in self.tasks)
        text = f"{running.task.name} after {took}, {left} of {len(self.tasks)} cells left"
        if outcome == Status.FAILED:
            reason = f"signal {-code}" if code < 0 else f"exit status {code}"
            text += f" ({reason}; {folder.log}: {folder.last_error()})"
        self._say(outcome, text)

    def _stop_running(self) -> None:
        if self._kill_at is None:
            self._kill_at = self.clock() + self.grace
            if self._running:
                names = ", ".join(running.task.name for running in self._running)
                self._say("stopping", f"{names}: {self._stop}")
            for running in self._running:
                running.process.terminate()
        elif self.clock() >= self._kill_at:
            for running in self._running:
                # with its workers
                os.killpg(running.process.pid, signal.SIGKILL)

    def _outcome(self, task: Task) -> Status:
        known = self._outcomes.get(task.name)
        if known is not None:
            return known
        status = task.folder.status()
        if status in (Status.FINISHED, Status.RUNNING):
            return status
        if any(need.result is None for need in task.folder.needs.values()):
            return Status.WAITING
        # one that failed in an earlier call has not been tried in this one
        return Status.TO_DO if status == Status.FAILED else status

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def on_signal(number: int, frame: FrameType | None) -> None:
            if self._stop and self._kill_at is not None:
                self._kill_at = 0.0
            self._stop = self._stop or signal.Signals(number).name

        # what is ignored, as SIGHUP under nohup, stays so
        previous: dict[int, Any] = {
            number: signal.signal(number, on_signal)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _say(self, what: str, text: str) -> None:
        elapsed = timedelta(seconds=int(self.clock() - self._begin))
        print(f"{elapsed}  {what:<11} {text}", flush=True)
