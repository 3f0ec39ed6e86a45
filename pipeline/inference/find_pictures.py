# SPDX-License-Identifier: Apache-2.0
"""Which pictures a folder holds, what their results are called, and the summary."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

from monai.config import PathLike
from pydicom import Dataset

from pipeline.transforms import (
    PICTURE_SUFFIXES,
    FolderContent,
    dicom_pseudonym,
    is_dicom_picture,
    is_picture,
    is_unread_picture,
    list_folder,
    picture_name,
    read_dicom_tags,
    say_closed,
)
from pipeline.utils import InputError, Notes, atomic_path

__all__ = ["FoundPictures", "check_pictures", "find_pictures", "save_dicom_names", "summarize"]


DICOM_NAMES = "dicom_names.csv"


@dataclass(frozen=True)
class FoundPictures:
    """The pictures in a folder. Every entry of it is in one of ``items``, ``skipped``, ``ignored`` and ``failures``.

    Attributes:
        root: the folder, or the one picture.
        output_dir: the folder for what is made of them.
        items: for each picture ``{"image": its path, "name": where results go, "shown": what messages call it}``. The
            name is relative to ``output_dir`` and has no ending: the subfolder and the file's stem, or the file's whole
            name where the stem alone would give two pictures of a folder the same name. DICOM files, whose names and
            folders often are those of patients, are called by ``dicom_pseudonym``, exact copies with a number behind.
        skipped: number of other entries, by what they are, such as ``{"hidden files and folders": 2}``.
        ignored: number of DICOM files that were not wanted, by the reason.
        failures: one message for each folder that cannot be opened, and may hold pictures.
    """

    root: Path
    output_dir: Path
    items: list[dict[str, str]]
    skipped: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[str] = ()


def find_pictures(
    root: PathLike,
    output_dir: PathLike,
    why_ignored: Callable[[Dataset], str] | None = None,
    original_names: bool = False,
) -> FoundPictures:
    """List the pictures of a folder and its subfolders, sorted by path.

    Pictures are the files with one of ``PICTURE_SUFFIXES`` and DICOM files with any name. Links are followed, see
    ``list_folder``; a link with the name of a picture that leads nowhere is one, which then cannot be read. What lies
    in ``output_dir`` is left out, so that masks written earlier are not taken for pictures.

    Args:
        root: a folder, one picture, or a DICOMDIR, for the folder that it stands in. If it is absent, nothing is found,
            see :func:`check_pictures`.
        output_dir: the folder for what is made of the pictures.
        why_ignored: from the tags of a DICOM file to the reason why it is not wanted, empty for one that is.
        original_names: whether results of DICOM files and messages about them are to have the names of the files.
    """
    root, output_dir = Path(root), Path(output_dir)
    if root.name == "DICOMDIR" and root.is_file():
        root = root.parent
    if root.is_dir():
        base, content = root, list_folder(root, leave_out=[output_dir])
    else:
        base, content = root.parent, FolderContent([root] if root.is_file() else [])
    is_wanted = {path: is_picture(path) for path in content.files}
    pictures = [path for path, wanted in is_wanted.items() if wanted]
    skipped = content.skipped + Counter(_kind(path) for path, wanted in is_wanted.items() if not wanted)
    tags = {path: read_dicom_tags(path) for path in pictures if is_dicom_picture(path)}
    reasons = {path: why_ignored(own) for path, own in tags.items()} if why_ignored else {}
    ignored = Counter(reason for reason in reasons.values() if reason)
    pictures = [path for path in pictures if not reasons.get(path)]
    hidden = set() if original_names else tags.keys()
    names = _names(pictures, base, hidden)
    items = [
        {"image": str(path), "name": names[path], "shown": names[path] if path in hidden else str(path)}
        for path in pictures
    ]
    failures = [_say_closed(path, why, base, original_names) for path, why in content.closed.items()]
    return FoundPictures(root, output_dir, items, dict(sorted(skipped.items())), ignored, failures)


def _kind(path: Path) -> str:
    if path.name.startswith("."):
        return "hidden files and folders"
    suffix = path.suffix.lower()
    return f"pictures of a kind that is not read ({suffix})" if is_unread_picture(path) else "other files"


def _say_closed(path: Path, why: str, base: Path, original_names: bool) -> str:
    # folders of DICOM files often have patients' names
    which = f"The folder {path}" if original_names or path == base else f"A folder in {base}"
    return say_closed(which, why)


def _names(pictures: Sequence[Path], base: Path, hidden: Collection[Path]) -> dict[Path, str]:
    """Return where the results of each picture go, each under its own name."""
    # casefold: some file systems take "A" and "a" for the same
    claims = Counter(
        (path.parent, name) for path in pictures for name in {picture_name(path).casefold(), path.name.casefold()}
    )
    names: dict[Path, str] = {}
    for path in pictures:
        if path not in hidden:
            name = picture_name(path) if claims[path.parent, picture_name(path).casefold()] == 1 else path.name
            names[path] = str(path.parent.relative_to(base) / name)
    taken = set(names.values())
    for path in pictures:
        if path in hidden:
            names[path] = _free(dicom_pseudonym(path), taken)
            taken.add(names[path])
    return names


def _free(name: str, taken: Collection[str]) -> str:
    """Return ``name``, or where it is taken, ``name_2``, ``name_3``, ..."""
    numbered = (f"{name}_{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def save_dicom_names(found: FoundPictures) -> None:
    """Write which DICOM file each pseudonym stands for: ``dicom_names.csv`` in ``output_dir``, for its owner only.

    Rows of earlier runs, whose results lie there too, are kept. Nothing is written where there is no pseudonym.
    """
    names = {item["name"]: item["image"] for item in found.items if item["shown"] != item["image"]}
    if not names:
        return
    target = found.output_dir / DICOM_NAMES
    if target.is_file():
        with open(target, newline="", encoding="utf-8", errors="surrogateescape") as file:
            names = {row["name"]: row["file"] for row in csv.DictReader(file)} | names
    # names of files are bytes, and old archives' are not UTF-8: they stay as they are
    with (
        atomic_path(target) as path,
        open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        path.chmod(0o600)
        csv.writer(file).writerows([("name", "file"), *names.items()])


def check_pictures(found: FoundPictures) -> None:
    """Refuse to begin if there is nothing to read, or no place for results but among the pictures.

    Raises:
        InputError: if the folder is absent or has no picture, or ``output_dir`` is this folder or one that it lies in,
            or cannot be written.
    """
    root, results = found.root.resolve(), found.output_dir.resolve()
    if not (root.is_file() or root.is_dir()):
        raise InputError(f"dataset_dir: there is no file or folder {found.root}; name the pictures with --dataset_dir.")
    if root.is_dir() and (root == results or results in root.parents):
        raise InputError(
            f"output_dir: the pictures themselves lie in {found.output_dir}; name another folder with --output_dir."
        )
    if not found.items:
        counts = [f"{what}: {count}" for what, count in found.skipped.items()]
        counts += [f"DICOM files ignored ({reason}): {count}" for reason, count in found.ignored.items()]
        held = f" ({', '.join(counts)})" if counts else ""
        raise InputError(
            f"dataset_dir: there is no picture in {found.root}{held}; it must hold files that are DICOM or end in "
            f"{', '.join(PICTURE_SUFFIXES)}.{''.join(f' {each}' for each in found.failures)}"
        )
    # not by making it: where nothing can be segmented, no folder is left
    above = next(folder for folder in (results, *results.parents) if folder.exists())
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise InputError(f"output_dir: {found.output_dir} cannot be written; name another folder with --output_dir.")


def summarize(
    found: FoundPictures,
    failures: Sequence[str],
    without_dicom: Sequence[str] = (),
    notes: Notes | None = None,
    implausible: Sequence[str] = (),
    unchecked: str = "",
) -> None:
    """Print what an inference has done, with each entry of the folder in exactly one count.

    Args:
        found: the pictures.
        failures: one message for each picture that could not be read or segmented.
        without_dicom: one message for each picture of which no DICOM SEG could be made.
        notes: what the reader had to say of pictures.
        implausible: one sentence for each mask that is unlike those of the training.
        unchecked: why that was not checked; empty if it was.

    Raises:
        InputError: if there is a failure, so that the program ends with status 1.
    """
    total, failed = len(found.items), len(failures)
    lines = [
        *(notes.lines() if notes else ()),
        *(f"implausible: {sentence}" for sentence in implausible),
        *([unchecked] if unchecked else ()),
        *(f"DICOM files ignored: {count} ({reason})" for reason, count in found.ignored.items()),
        *(f"skipped: {count} {what}" for what, count in found.skipped.items()),
        *(f"failed: {message}" for message in found.failures),
        f"Pictures segmented: {total - failed} of {total}; output folder: {found.output_dir}",
    ]
    # names of files are bytes, and old archives' are not UTF-8
    print("\n".join(lines).encode("utf-8", "backslashreplace").decode())
    problems = [
        (failed, f"of {total} pictures could not be segmented"),
        (len(found.failures), "folders could not be read"),
        (len(without_dicom), f"of {total} pictures have no DICOM SEG"),
    ]
    said = [f"{count} {what}" for count, what in problems if count]
    if said:
        raise InputError(f"{'; '.join(said)}. The lines that begin with 'failed' say why.")
