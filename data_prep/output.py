# SPDX-License-Identifier: Apache-2.0
"""The folder that is written, with its data list."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.utils import InputError, atomic_path

__all__ = ["DATALIST", "Entry", "OutputFolder", "png_entries", "raise_errors"]

DATALIST = "datalist.json"
Entry = dict[str, str]


class OutputFolder:
    """The folder that a command writes: ``images/``, ``masks/`` and, last of all, ``datalist.json``.

    It counts the masks that are empty or full, since a set of nothing trains as well as any other.

    Every file is either whole or absent, and a data list is there only if all its files are: an old list is taken away
    before the first file changes. A file that already holds what would be written is left alone, so that an
    interrupted command can be repeated.

    Args:
        path: the folder; made when the first file is written.
        allow_empty: whether more than half of the masks for training, or for the test, may be empty.
        sources: folders that are read, in which no file is changed or added; the folder may lie in one of them.

    Raises:
        InputError: when a file is to be written among those of a source.
    """

    def __init__(self, path: Path, allow_empty: bool = False, sources: Iterable[Path] = ()) -> None:
        self.path = path
        self.allow_empty = allow_empty
        above = Path(os.path.realpath(path)).parents
        real = {Path(os.path.realpath(source)): source for source in sources}
        self._sources = {folder: source for folder, source in real.items() if folder not in above}
        self._empty: set[str] = set()
        self._full: set[str] = set()
        self.written = 0
        self.kept = 0

    def save_picture(self, pixels: npt.NDArray[Any], name: str) -> None:
        """Write ``name`` as PNG from uint8 or uint16 (rows, columns) or uint8 (rows, columns, 3)."""
        target = self.path / name
        if _holds(target, pixels):
            self.kept += 1
            return
        self._before_change(target)
        with atomic_path(target) as temporary:
            # level 1 is eight times faster than the default on 12-bit film, and the file less than a tenth larger
            Image.fromarray(pixels).save(temporary, format="PNG", compress_level=1)
        self.written += 1

    def save_mask(self, foreground: npt.NDArray[np.bool_], name: str) -> None:
        """Write ``name`` as PNG of 0 and 255 (rows, columns)."""
        if not foreground.any():
            self._empty.add(name)
        if foreground.all():
            self._full.add(name)
        self.save_picture(np.where(foreground, 255, 0).astype(np.uint8), name)

    def save_bytes(self, content: bytes, name: str) -> None:
        """Write ``name`` byte for byte."""
        target = self.path / name
        if target.is_file() and target.read_bytes() == content:
            self.kept += 1
            return
        self._before_change(target)
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
        self.written += 1

    def save_datalist(self, training: Sequence[Entry], test: Sequence[Entry], description: str) -> str:
        """Write the data list with names relative to the folder; return the line that closes the command.

        Raises:
            InputError: if either part is empty, or too many of its masks are.
        """
        for section, entries in (("training", training), ("test", test)):
            if not entries:
                raise InputError(f"The split leaves the {section} part empty; no data list was written.")
            empty = [entry for entry in entries if entry["label"] in self._empty]
            if len(empty) > len(entries) / 2 and not self.allow_empty:
                raise InputError(
                    f"{len(empty)} of {len(entries)} {section} masks are empty (the first is that of "
                    f"{empty[0]['id']}); no data list was written. Check the masks, or give --allow-empty if this is "
                    "meant."
                )
        content = {"description": description, "training": list(training), "test": list(test)}
        with atomic_path(self.path / DATALIST) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return (
            f"{len(training)} training and {len(test)} test pairs in {self.path / DATALIST} "
            f"({self.written} files written, {self.kept} were there already)."
            + _count("Empty masks", self._empty, training, test)
            + _count("Masks that are all foreground", self._full, training, test)
        )

    def _before_change(self, target: Path) -> None:
        for folder in Path(os.path.realpath(target)).parents:
            if folder in self._sources:
                raise InputError(
                    f"The file {target} would be written among those that are read from {self._sources[folder]}; name "
                    "another folder with --output."
                )
        (self.path / DATALIST).unlink(missing_ok=True)


def png_entries(names: Iterable[str]) -> list[Entry]:
    """Return the entries of pictures that are written as ``images/<name>.png`` with ``masks/<name>.png``."""
    return [{"id": name, "image": f"images/{name}.png", "label": f"masks/{name}.png"} for name in names]


def raise_errors(errors: Sequence[str]) -> None:
    """Raise one ``InputError`` with a line for each wrong file, if there is any."""
    if errors:
        # what libraries say, and names of files too, may have ends of lines in them
        lines = [" ".join(error.splitlines()) for error in errors]
        count = "1 file is" if len(errors) == 1 else f"{len(errors)} files are"
        raise InputError("\n".join([*lines, f"{count} wrong; no data list was written. Correct this and run again."]))


def _count(what: str, masks: set[str], training: Sequence[Entry], test: Sequence[Entry]) -> str:
    """Return how many of each part have such a mask, as one more sentence; nothing if there is none."""
    ids = [[entry["id"] for entry in entries if entry["label"] in masks] for entries in (training, test)]
    first = next(iter(ids[0] + ids[1]), None)
    if first is None:
        return ""
    return (
        f" {what}: {len(ids[0])} of {len(training)} for training, {len(ids[1])} of {len(test)} for the test (the first "
        f"is that of {first})."
    )


def _holds(path: Path, pixels: npt.NDArray[Any]) -> bool:
    """Whether the file is a picture of exactly these pixels."""
    try:
        with Image.open(path) as image:
            there = np.asarray(image)
    except (OSError, SyntaxError):
        return False
    return there.dtype == pixels.dtype and np.array_equal(there, pixels)
