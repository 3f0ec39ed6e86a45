# SPDX-License-Identifier: Apache-2.0
"""Source folders, and remarks on what they hold."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pipeline.transforms import is_dicom_picture, list_folder, read_dicom_tags, say_closed
from pipeline.utils import InputError, Notes

__all__ = ["Copies", "Remarks", "list_source", "read_or_note"]


class Remarks:
    """What a user should know about the sources although nothing is wrong: what was left out, and notes on pictures."""

    def __init__(self) -> None:
        self._left_out: Counter[str] = Counter()
        self._notes = Notes()

    def leave_out(self, counts: Mapping[str, int]) -> None:
        """Count entries of a folder that do not belong to the data, by what they are."""
        self._left_out.update(counts)

    def leave_out_files(self, paths: Iterable[Path]) -> None:
        """Count files that do not belong to the data, by their endings."""
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


class Copies:
    """Note pictures that equal another one of the set, or say so themselves: that one may be in the other part.

    Args:
        remarks: gets a note on each.
    """

    def __init__(self, remarks: Remarks) -> None:
        self.remarks = remarks
        self._by_content: dict[bytes, Path] = {}
        self._by_uid: dict[str, Path] = {}

    def look_at(self, path: Path) -> None:
        """Compare a picture's file with those before it."""
        same = self._by_content.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
        if same != path:
            self.remarks.note(f"{same} and {path}", "These are the same picture, byte for byte; both are taken.")
            return
        uid = str(read_dicom_tags(path).get("SOPInstanceUID") or "") if is_dicom_picture(path) else ""
        other = self._by_uid.setdefault(uid, path) if uid else path
        if other != path:
            self.remarks.note(
                f"{other} and {path}", "These have one SOP Instance UID and different content; both are taken."
            )


def list_source(folder: Path, remarks: Remarks, errors: list[str], leave_out: Collection[Path] = ()) -> list[Path]:
    """Return the files of a folder of the source and its subfolders, sorted by path.

    Args:
        folder: see ``list_folder``.
        remarks: gets the counts of what else is there.
        errors: gets a line for each folder that cannot be opened.
        leave_out: folders that are not of this source, such as the command's output.

    Raises:
        InputError: if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder." if folder.exists() else f"The folder {folder} does not exist.")
    content = list_folder(folder, leave_out)
    remarks.leave_out(content.skipped)
    errors += [say_closed(f"The folder {path}", why) for path, why in content.closed.items()]
    return content.files


T = TypeVar("T")


def read_or_note(read: Callable[[], T], path: Path, errors: list[str]) -> T | None:
    """Return what ``read`` returns, or add one sentence to ``errors`` and return None, so that the others go on.

    Args:
        read: reads and checks, and writes nothing: a full disk must end the command.
        path: the file, for the sentence on what nobody has foreseen.
        errors: a line for each wrong file.
    """
    try:
        return read()
    except InputError as error:
        sentence = str(error)
    except Exception as error:  # damaged files make libraries raise nearly anything
        sentence = f"The file {path} cannot be read ({type(error).__name__}: {error}); copy it again, or take it out."
    errors.append(sentence)
    return None
