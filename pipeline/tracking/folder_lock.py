# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

__all__ = ["FolderLock"]


class FolderLock:
    """A lock on a folder that its process holds as long as it lives, and that ends with it however it ends.

    Args:
        folder: an existing folder; the lock is on its file ``.lock``.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".lock"
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock and return True, or return False at once if another holds it, in this process or any other."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle = handle
        _held.add(self)
        return True

    def fileno(self) -> int:
        """The descriptor of the held lock: a child process that gets it by ``pass_fds`` holds it as long as it lives.

        Raises:
            ValueError: if the lock is not held.
        """
        if self._handle is None:
            raise ValueError(f"The lock {self.path} is not held.")
        return self._handle

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held. A child that shares it keeps it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            _held.discard(self)


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _drop_in_child() -> None:
    # A forked child (a worker of a data loader) shares the lock and would hold it after its parent has been killed.
    # Closing the child's copy leaves the parent's lock as it is.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_drop_in_child)
