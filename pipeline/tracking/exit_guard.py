# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["ExitGuard"]


class ExitGuard:
    """Calls ``close(status)`` when the program ends without having done so itself.

    The status is KILLED after SIGTERM or SIGINT and FAILED otherwise, for an uncaught exception or ``sys.exit``.
    Signals go on to whatever handled them before. SIGTERM with its default action unwinds the program as
    ``sys.exit(143)`` does, so that files and workers are closed; a second SIGTERM ends it at once. The exit status is
    what it would have been (143, 130 in a shell); Python 3.10, which forgets SIGINT when code runs at exit, says 1.

    Args:
        close: what to call; it removes the guard.
    """

    def __init__(self, close: Callable[[str], None]) -> None:
        self._close = close
        self._process = os.getpid()
        self._status = "FAILED"
        self._previous: dict[int, Any] = {}

    def install(self) -> None:
        atexit.register(self._at_exit)
        if threading.current_thread() is not threading.main_thread():
            return  # Python allows signal handlers in the main thread only
        for number in (signal.SIGTERM, signal.SIGINT):
            previous = signal.getsignal(number)
            # None: a handler that Python did not install and cannot call
            if previous not in (None, signal.SIG_IGN):
                self._previous[number] = previous
                signal.signal(number, self._on_signal)

    def remove(self) -> None:
        atexit.unregister(self._at_exit)
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            # someone who came later has chained to us: leave that
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, previous)

    def _at_exit(self) -> None:
        if os.getpid() == self._process:
            self._close(self._status)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._status = "KILLED"
        previous = self._previous[number]
        if callable(previous):
            previous(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            raise SystemExit(128 + number)
