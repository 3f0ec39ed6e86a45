# SPDX-License-Identifier: Apache-2.0
"""A lock on a run's folder."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

__all__ = ["FolderLock"]


class FolderLock:
    """A lock on a folder that ends with its process, however that ends.

    Forked children, such as the workers of a data loader, do not hold it: ``filelock`` closes it in them.

    Args:
        folder: an existing folder.
        name: the file in it that is locked.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str = ".lock") -> None:
        # the process holds it, whichever thread asks; without flock there is no lock that ends with its process
        self._lock = FileLock(Path(folder) / name, thread_local=False, fallback_to_soft=False)

    def acquire(self, blocking: bool = False, seconds: float = 0.0) -> bool:
        """Take the lock, and return whether that was possible.

        Args:
            blocking: whether to wait as long as another holds it, in this process or any other.
            seconds: how long to wait otherwise.
        """
        try:
            self._lock.acquire(timeout=-1 if blocking else seconds)
        except Timeout:
            return False
        _held.add(self._lock)
        return True

    def release(self) -> None:
        """Release the lock, if it is held."""
        self._lock.release()
        _held.discard(self._lock)


_held: set[BaseFileLock] = set()  # else filelock would release those whose owner is no longer referred to
