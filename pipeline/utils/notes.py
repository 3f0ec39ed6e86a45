# SPDX-License-Identifier: Apache-2.0
"""Notes on files, by kind."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Notes", "note_kind"]

_NUMBER = re.compile(r"\d+([.,]\d+)?")


def note_kind(note: str) -> str:
    """Return what notes of one kind share: all but their numbers."""
    return _NUMBER.sub("#", note)


class Notes:
    """Notes on files; notes that differ only in their numbers are of one kind, and told once."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[str]] = {}

    def add(self, file: object, note: str) -> None:
        """Keep a note on a file, unless it is empty."""
        if note:
            self._kinds.setdefault(note_kind(note), []).append(f"{file}: {note}")

    def clear(self) -> None:
        """Forget all notes."""
        self._kinds.clear()

    def lines(self) -> Iterator[str]:
        """Yield the first note of each kind, and how many there are."""
        for notes in self._kinds.values():
            more = f" There are {len(notes)} notes of this kind." if len(notes) > 1 else ""
            yield f"note: {notes[0]}{more}"
