# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.utils import Notes

__all__ = ["Remarks"]


class Remarks:
    """What a user should know of the sources, although nothing is wrong: what was left out, and notes on pictures."""

    def __init__(self) -> None:
        self._left_out: Counter[str] = Counter()
        self._notes = Notes()

    def leave_out(self, counts: Mapping[str, int]) -> None:
        """Count entries of a folder that are not of the data, by what they are."""
        self._left_out.update(counts)

    def leave_out_files(self, paths: Iterable[Path]) -> None:
        """Count files that are not of the data, by their endings."""
        self.leave_out(Counter(f"other files ({path.suffix.lower() or 'no ending'})" for path in paths))

    def note(self, file: str | Path, note: str) -> None:
        """Keep a note on a file, if there is one."""
        self._notes.add(file, note)

    def print(self) -> None:
        """Print a line for each kind of note, and one for all that was left out."""
        for line in self._notes.lines():
            # names of files are bytes, and old archives' are not UTF-8
            print(line.encode("utf-8", "backslashreplace").decode())
        if self._left_out:
            print("left out: " + ", ".join(f"{what}: {count}" for what, count in sorted(self._left_out.items())))
