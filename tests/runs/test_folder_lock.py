# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from pipeline.runs import FolderLock
from tests.interpreter import Interpreter, wait_until

# what a data loader does; a worker outlives its parent when that is killed
HOLD_AND_FORK = """
import multiprocessing, os, time
from pipeline.runs import FolderLock
lock = FolderLock({folder!r})
assert lock.acquire()
{fork}
print(child, flush=True)
time.sleep(60)
"""
FORKS = {
    "fork": "child = os.fork()\nif child == 0:\n    time.sleep(60)\n    os._exit(0)",
    "multiprocessing": "worker = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
    "worker.start()\nchild = worker.pid",
}


def test_only_one_holds_it_in_one_process_too(tmp_path: Path) -> None:
    first, second, other = FolderLock(tmp_path), FolderLock(tmp_path), FolderLock(tmp_path, ".another")
    assert first.acquire() and other.acquire()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()


def test_a_waiting_one_gets_it_when_it_is_given_back(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    got: list[bool] = []
    waiting = threading.Thread(target=lambda: got.append(second.acquire(blocking=True)))
    waiting.start()
    waiting.join(0.3)
    assert got == []
    first.release()
    waiting.join(10)
    assert got == [True] and not first.acquire()


def test_it_ends_with_its_process_though_forked_children_live(tmp_path: Path, interpreter: Interpreter) -> None:
    for name, fork in FORKS.items():
        folder = tmp_path / name
        folder.mkdir()
        program = interpreter.start(HOLD_AND_FORK.format(folder=str(folder), fork=fork))
        wait_until(lambda program=program: program.output.strip())
        child = int(program.output)
        try:
            assert not FolderLock(folder).acquire()
            program.kill(signal.SIGKILL)
            assert program.wait() == -signal.SIGKILL
            os.kill(child, 0)  # it lives
            assert FolderLock(folder).acquire()
        finally:
            os.kill(child, signal.SIGKILL)
