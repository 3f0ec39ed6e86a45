# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["close_at_exit"]


def close_at_exit(close: Callable[[str], None]) -> None:
    """Call ``close(status)`` when the program ends: KILLED after SIGTERM or SIGINT, else FAILED.

    Signals go on to whatever handled them before. SIGTERM with its default action unwinds the program as
    ``sys.exit(143)`` does, so that files and workers are closed; a second SIGTERM ends it at once.
    """
    process, status = os.getpid(), "FAILED"
    before: dict[int, Any] = {}

    def at_exit() -> None:
        if os.getpid() == process:
            close(status)

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal status
        status = "KILLED"
        if callable(before[number]):
            before[number](number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            raise SystemExit(128 + number)

    atexit.register(at_exit)
    # Python allows signal handlers in the main thread only
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            # None: a handler that Python did not install and cannot call
            if handler not in (None, signal.SIG_IGN):
                before[number] = handler
                signal.signal(number, on_signal)
