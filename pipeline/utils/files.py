# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError

__all__ = ["atomic_path", "check_folder"]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file so that ``path`` is at every moment the old file, the whole new file, or absent.

    Yields a temporary path in the same folder, with the same ending (so that writers that go by the ending work). When
    the block ends, the temporary file is flushed to the disk and renamed to ``path``; when it raises, it is removed.

    Args:
        path: the file to write. Its folder is made if it is absent.

    Raises:
        OSError: if the folder cannot be made or the file not written, for example on a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # not its whole name, nor all that follows a dot, which a UID is full of: names have 255 bytes at most
    handle, name = tempfile.mkstemp(prefix=".writing.", suffix="".join(path.suffixes[-2:])[-20:], dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        # mkstemp makes the file private; give it what the user's umask gives to any other file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def check_folder(path: str | os.PathLike[str], setting: str) -> None:
    """Make a folder if it is absent, and test whether a file can be written there.

    Args:
        path: the folder.
        setting: the setting that names it, for the message.

    Raises:
        InputError: if it is not a folder, or cannot be written.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(f"{setting}: {path} cannot be written ({error.strerror}); name another folder.") from error
