# SPDX-License-Identifier: Apache-2.0
"""The files of a folder and its subfolders."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from .picture_files import PICTURE_SUFFIXES

__all__ = ["FolderContent", "list_folder", "say_closed"]

HIDDEN = "hidden files and folders"
DICOMDIR = "DICOMDIR files"
SPECIAL = "pipes, sockets and devices"
DANGLING = "links that lead nowhere"
BACK = "links back to a folder that they lie in"
TWICE = "folders entered already by another name"


@dataclass
class FolderContent:
    """What a folder and its subfolders hold. Every entry is in one of the three, or is a folder that was entered.

    Attributes:
        files: the files, sorted by path. What has the ending of a picture and cannot be opened, such as a link that
            leads nowhere, is one of them: reading it says what is wrong.
        skipped: the number of other entries, by what they are.
        closed: what cannot be examined, mostly folders, and why.
    """

    files: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    closed: dict[Path, str] = field(default_factory=dict)


def list_folder(root: Path, leave_out: Collection[Path] = ()) -> FolderContent:
    """List the files of a folder and its subfolders, through links too.

    A folder is entered once, and by its own name rather than by that of a link. Hidden ones are not entered. No file is
    opened, so that a pipe cannot block.

    Args:
        root: the folder.
        leave_out: folders that are neither entered nor counted, as are links to them and into them. ``root`` and the
            folders that it lies in are no such folders.
    """
    walk = _Walk(root, leave_out)
    walk.enter(root)
    # links come last, so that a folder that lies here keeps its own name
    while walk.links:
        walk.follow(walk.links.pop(0))
    walk.content.files.sort()
    return walk.content


def say_closed(which: str, why: str) -> str:
    """Return the sentence for a folder that cannot be opened, beginning with ``which``."""
    return f"{which} cannot be opened ({why}); allow it to be read, or take it out."


class _Walk:
    def __init__(self, root: Path, leave_out: Collection[Path]) -> None:
        self.content = FolderContent()
        self.root = _real(root)
        self.left_out = {_real(path) for path in leave_out} - {self.root, *self.root.parents}
        self.entered: set[Path] = set()
        self.folders: list[Path] = []
        self.links: list[Path] = []

    def enter(self, root: Path) -> None:
        self.folders.append(root)
        while self.folders:
            folder = self.folders.pop()
            real = _real(folder)
            if real in self.left_out:
                continue
            if real in self.entered:
                self.content.skipped[TWICE] += 1
                continue
            self.entered.add(real)
            try:
                entries = sorted(folder.iterdir())
            except OSError as error:
                self.content.closed[folder] = error.strerror or str(error)
                continue
            for path in entries:
                self._take(path)

    def follow(self, link: Path) -> None:
        target, parent = _real(link), _real(link.parent)
        if target in (parent, *parent.parents, *self.root.parents):
            self.content.skipped[BACK] += 1
        else:
            self.enter(link)

    def _take(self, path: Path) -> None:
        """Put an entry where it belongs."""
        is_link = os.path.islink(path)
        if path.name.startswith("."):
            self.content.skipped[HIDDEN] += 1
        elif not (is_link and self._is_left_out(path)):
            try:
                mode = path.stat().st_mode
            except OSError as error:
                self._take_broken(path, is_link, error)
                return
            if stat.S_ISDIR(mode):
                (self.links if is_link else self.folders).append(path)
            elif not stat.S_ISREG(mode):
                self.content.skipped[SPECIAL] += 1
            elif path.name == "DICOMDIR":
                self.content.skipped[DICOMDIR] += 1
            else:
                self.content.files.append(path)

    def _is_left_out(self, link: Path) -> bool:
        target = _real(link)
        return not self.left_out.isdisjoint((target, *target.parents))

    def _take_broken(self, path: Path, is_link: bool, error: OSError) -> None:
        if path.name.lower().endswith(PICTURE_SUFFIXES):
            self.content.files.append(path)
        elif is_link:
            self.content.skipped[DANGLING] += 1
        else:
            self.content.closed[path] = error.strerror or str(error)


def _real(path: Path) -> Path:
    # Path.resolve raises where links go in circles
    return Path(os.path.realpath(path))
