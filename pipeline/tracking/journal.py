# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.utils import InputError

__all__ = ["JOURNAL_NAME", "Journal", "read_journal"]

JOURNAL_NAME = "journal.jsonl"


class Journal:
    """The figures of a run in the order they came, one JSON object per line, only ever appended to.

    An entry is in the operating system's hands when ``append`` returns: it survives ``kill -9``, not a power cut (there
    is no fsync). Numbers may be NaN and Infinity, as Python writes and reads them.

    Entries, by ``type``:
        - params, tags: ``values`` (name to text)
        - metrics: ``values`` (name to number), ``step``, ``time`` (milliseconds since 1970)
        - artifact: ``path`` (relative to the journal's folder if it lies in there), ``folder`` (in MLflow's store)
        - dataset: ``name``, ``digest``, ``source``, ``profile``, ``context``
        - status: ``value`` (RUNNING, FINISHED, FAILED or KILLED), ``time``

    Args:
        path: the file, made if absent. A last line without its end, which a power cut or a full disk may leave, is cut
            off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _cut_torn_line(path)
        self._file = open(path, "ab")  # noqa: SIM115  it stays open for the life of the run

    def append(self, type: str, **fields: Any) -> None:
        """Write one entry.

        Raises:
            OSError: if the disk is full. What is not yet written is written by the next call.
        """
        self._file.write(json.dumps({"type": type, **fields}).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path, offset: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each whole entry from byte ``offset`` on, with the offset behind it.

    Raises:
        InputError: if a line is not JSON.
    """
    if not path.exists():
        return
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            start, offset = offset, offset + len(line)
            try:
                entry = json.loads(line)
            except ValueError:
                raise InputError(f"{path}: the line at byte {start} is not JSON. Remove it to send the rest.") from None
            yield entry, offset


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with open(path, "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        file.truncate(end)
