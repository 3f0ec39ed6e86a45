# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.utils import InputError

__all__ = ["JOURNAL_NAME", "Journal", "read_journal", "starts_line"]

JOURNAL_NAME = "journal.jsonl"


class Journal:
    """The figures of a run in the order they came, one JSON object per line, only ever appended to.

    An entry is in the operating system's hands when ``append`` returns: it survives ``kill -9``, not a power cut (there
    is no fsync). A last line without its end, which a power cut or a full disk may leave, is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "a+b")  # noqa: SIM115  it stays open for the life of the run
        self._file.seek(0)
        self._file.truncate(self._file.read().rfind(b"\n") + 1)

    def append(self, entry: dict[str, Any]) -> None:
        """Write one entry, or raise OSError if the disk is full; the next call then writes what is missing."""
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path, offset: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each whole entry from byte ``offset`` on, with the offset behind it."""
    if not path.exists():
        return
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                entry = json.loads(line)
            except ValueError:
                raise InputError(
                    f"{path}: the line at byte {offset} is not JSON. Remove it to send the rest."
                ) from None
            offset += len(line)
            yield entry, offset


def starts_line(path: Path, offset: int) -> bool:
    """Return whether the file has this many bytes or more, and a line of it starts behind them."""
    if offset == 0 or not path.exists():
        return offset == 0
    with open(path, "rb") as file:
        file.seek(offset - 1)
        return file.read(1) == b"\n"
