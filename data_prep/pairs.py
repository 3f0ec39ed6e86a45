# SPDX-License-Identifier: Apache-2.0
"""Any folders of pictures and masks."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from pipeline.transforms import (
    PICTURE_SUFFIXES,
    Picture,
    check_pair,
    dicom_pseudonym,
    is_dicom_picture,
    is_picture,
    is_unread_picture,
    picture_name,
    read_mask,
    read_picture,
)
from pipeline.utils import InputError, why_no_id, with_progress

from .output import Entry, OutputFolder, raise_errors
from .source import Copies, Remarks, list_source, read_or_note
from .splits import split_by_file, split_by_fraction, split_odd_even

__all__ = ["add_arguments", "prepare_pairs"]

MASK_ENDING = re.compile(r"_(segmentation|mask)$", re.IGNORECASE)
COPIED = (".png", ".jpg", ".jpeg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``pairs`` to its parser."""
    parser.add_argument("--images", type=Path, required=True, help="folder of PNG, JPEG, GIF, DICOM or NIfTI pictures")
    parser.add_argument(
        "--masks",
        type=Path,
        required=True,
        help="folder of masks named as the pictures, or with _mask or _segmentation",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of the draw with --fraction (default 0)")
    split = parser.add_mutually_exclusive_group()
    split.add_argument(
        "--odd-even",
        action="store_const",
        const=None,
        dest="split_file",
        help="of the sorted names the 1st, 3rd, ... train, the others test (default)",
    )
    split.add_argument("--split-file", type=Path, help='JSON file {"training": [names], "test": [names]}')
    split.add_argument(
        "--fraction",
        type=float,
        dest="test_fraction",
        metavar="FRACTION",
        help="part drawn for the test, between 0 and 1",
    )
    split.add_argument("--test-images", type=Path, help="folder of the test pictures; --images are for training then")
    parser.add_argument("--test-masks", type=Path, help="folder of the masks of --test-images")
    parser.add_argument(
        "--original-names",
        action="store_true",
        help="keep the names of DICOM files, which reports and MLflow then show (default: a hash of the file)",
    )
    parser.add_argument(
        "--allow-empty", action="store_true", help="accept a training or a test part with mostly empty masks"
    )
    parser.add_argument("--description", help="what reports are to call the data (default: the pictures' folder)")


def prepare_pairs(
    images: Path,
    masks: Path,
    output: Path,
    split_file: Path | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
    test_images: Path | None = None,
    test_masks: Path | None = None,
    description: str | None = None,
    original_names: bool = False,
    allow_empty: bool = False,
) -> str:
    """Check a folder of pictures and one of masks with matching names, and write them with a split.

    A picture and its mask have the same name, and lie in subfolders of the same name, which the picture's id names too,
    such as ``patient1/x``. Two spellings of the same accented letters are one name. A file that is a picture by its
    ending, but of a kind that is not read, is wrong; other files are counted.

    PNG and JPEG pictures are copied byte for byte. Others become the PNG of what a viewer shows, of 8 bits where these
    hold all its levels and else of 16. The split is odd/even, unless ``split_file``, ``test_fraction`` or
    ``test_images`` is given.

    Args:
        images: folder of pictures, at any depth.
        masks: folder of masks, two-valued and of their picture's size.
        output: folder to write; it can be moved as a whole.
        split_file: see :func:`data_prep.splits.split_by_file`.
        test_fraction: see :func:`data_prep.splits.split_by_fraction`.
        seed: of the draw.
        test_images: folder of the test pictures, if these lie apart; ``images`` is the training part then.
        test_masks: folder of their masks.
        description: what reports are to call the data; the names of the pictures' folders if None.
        original_names: keep the names of DICOM files too, which often are those of patients; else they are called by
            ``dicom_pseudonym``, in the data list, in the folder, and in all that is made of it, without their
            subfolder.
        allow_empty: accept a training or a test part with more empty masks than others.

    Returns:
        the line that closes the command.

    Raises:
        InputError: with one line for every file that is wrong.
        OSError: if a file cannot be written.
    """
    if (test_images is None) != (test_masks is None):
        raise InputError("--test-images and --test-masks go together; give both or none.")
    for pictures, theirs in ((images, masks), (test_images, test_masks)):
        if pictures is not None and theirs is not None and os.path.realpath(pictures) == os.path.realpath(theirs):
            raise InputError(
                f"The pictures and the masks are both read from {pictures}; put the masks into another folder."
            )
    remarks = Remarks()
    errors: list[str] = []
    given = [folder for folder in (images, masks, test_images, test_masks) if folder is not None]
    # a source may lie in another's folder, or the output in it
    find_pairs = partial(_find_pairs, remarks=remarks, errors=errors, leave_out=[output, *given])
    files = find_pairs(images, masks)
    if test_images is not None and test_masks is not None:
        test_files = find_pairs(test_images, test_masks)
        errors += [
            f"The files {files[name].image} and {test_files[name].image} have the same name '{name}'; "
            "rename one of them, or take it out if they are the same picture."
            for name in sorted(files.keys() & test_files.keys())
        ]
        training, test = list(files), list(test_files)
        files |= test_files
    elif split_file is not None:
        training, test = split_by_file(list(files), split_file)
    elif test_fraction is not None:
        training, test = split_by_fraction(list(files), test_fraction, seed)
    else:
        training, test = split_odd_even(list(files))
    if test_images is None and split_file is None:
        remarks.note(images, _say_divided(training, test))
    folder = OutputFolder(output, allow_empty, given)
    copies = Copies(remarks)
    entries: dict[str, Entry] = {}
    originals: dict[str, Path] = {}
    for name, (image, mask) in with_progress(list(files.items()), "pairs", "picture"):
        if mask is None:
            continue
        hide = is_dicom_picture(image) and not original_names
        saved = dicom_pseudonym(image) if hide else name
        why = why_no_id(saved)
        if why:
            errors.append(f"The picture {image} would be called {saved!a}, which {why}; rename it and its mask.")
        elif saved in originals:
            errors.append(_say_taken(originals[saved], image, saved))
        else:
            originals[saved] = image
            pair = _read_pair(image, mask, errors)
            if pair is not None:
                remarks.note(image, pair.image.notes)
                remarks.note(mask, pair.mask.notes)
                copies.look_at(image)
                entries[name] = _save_pair(folder, saved, image, pair)
    remarks.print()
    raise_errors(errors)
    # the name of a folder of DICOM files may be a patient's
    hidden = bool(originals.keys() - files.keys())
    return folder.save_datalist(
        [entries[name] for name in training],
        [entries[name] for name in test],
        description or ("DICOM pictures" if hidden else _folders(images, test_images)),
    )


def _folders(images: Path, test_images: Path | None) -> str:
    """What the data are called; two folders with those that hold them, since both may be named "images"."""
    if test_images is None:
        return f"pictures of the folder {images.name}"
    training, test = ("/".join(folder.resolve().parts[-2:]) for folder in (images, test_images))
    return f"pictures of the folder {training}, test pictures of {test}"


def _say_divided(training: Collection[str], test: Collection[str]) -> str:
    """What to say of subfolders that a split has divided, without their names, which may be those of patients."""
    # the first of several levels: a patient may have a folder for each examination
    first, second = ({name.split("/")[0] for name in names if "/" in name} for names in (training, test))
    divided = len(first & second)
    if not divided:
        return ""
    folders = "1 subfolder has" if divided == 1 else f"{divided} subfolders have"
    return (
        f"{folders} pictures for training as well as for the test; if a subfolder is a patient, give --split-file with "
        "each patient in one part."
    )


class _Files(NamedTuple):
    image: Path
    mask: Path | None


def _find_pairs(
    images: Path, masks: Path, remarks: Remarks, errors: list[str], leave_out: Collection[Path]
) -> dict[str, _Files]:
    """Return the files by picture name, sorted; errors are files without a partner, and names that occur twice."""
    image_files = _find(images, None, remarks, errors, leave_out)
    mask_files = _find(masks, image_files, remarks, errors, leave_out)
    if not image_files:
        remarks.print()
        raise_errors(errors)
        raise InputError(f"The folder {images} holds no pictures ({', '.join(PICTURE_SUFFIXES)}).")
    names = sorted(image_files)
    errors += [f"The picture {image_files[name]} has no mask in {masks}." for name in names if name not in mask_files]
    errors += [
        f"The mask {path} has no picture in {images}." for name, path in mask_files.items() if name not in image_files
    ]
    return {name: _Files(image_files[name], mask_files.get(name)) for name in names}


def _find(
    folder: Path, pictures: Collection[str] | None, remarks: Remarks, errors: list[str], leave_out: Collection[Path]
) -> dict[str, Path]:
    """Return the picture files by name without ending; errors are a name that two have, and what cannot be read.

    A mask goes by the name of its picture. ``pictures`` are the names of all pictures, None to find these themselves.
    """
    found: dict[str, Path] = {}
    others: list[Path] = []
    for path in list_source(folder, remarks, errors, leave_out):
        if is_picture(path):
            # macOS writes an accented letter as two characters, most other systems as one
            name = normalize("NFC", (path.relative_to(folder).parent / picture_name(path)).as_posix())
            if pictures is not None and name not in pictures:
                name = MASK_ENDING.sub("", name)
            other = found.setdefault(name, path)
            if other is not path:
                errors.append(
                    f"The files {_tell_apart(other, path)} have the same name '{name}'; a picture has one mask."
                )
        elif is_unread_picture(path):
            errors.append(
                f"The file {path} is a picture of a kind that is not read; convert it to PNG, or take it out."
            )
        else:
            others.append(path)
    remarks.leave_out_files(others)
    return found


def _tell_apart(first: Path, second: Path) -> str:
    """Return "first and second", in ASCII if they look alike."""
    alike = normalize("NFC", str(first)) == normalize("NFC", str(second))
    return f"{str(first)!a} and {str(second)!a}" if alike else f"{first} and {second}"


def _say_taken(first: Path, second: Path, name: str) -> str:
    if first.read_bytes() == second.read_bytes():
        return (
            f"The files {first} and {second} are the same DICOM picture, byte for byte; take one out, or give "
            "--original-names."
        )
    return f"The files {first} and {second} would both be called '{name}'; rename one of them."


class _Pair(NamedTuple):
    image: Picture
    mask: Picture
    # what the image's file becomes: the same bytes, or a PNG of these pixels
    written: bytes | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def _read_pair(image_path: Path, mask_path: Path, errors: list[str]) -> _Pair | None:
    """Read and check a picture and its mask; errors are what is wrong with either."""
    image = read_or_note(partial(read_picture, image_path), image_path, errors)
    mask = read_or_note(partial(read_mask, mask_path), mask_path, errors)
    if image is None or mask is None:
        return None
    return read_or_note(partial(_check_pair, image, image_path, mask, mask_path), image_path, errors)


def _check_pair(image: Picture, image_path: Path, mask: Picture, mask_path: Path) -> _Pair:
    check_pair(image, image_path, mask, mask_path)
    is_copied = image_path.suffix.lower() in COPIED
    return _Pair(image, mask, image_path.read_bytes() if is_copied else _to_integers(image.pixels, image_path))


def _save_pair(folder: OutputFolder, name: str, image_path: Path, pair: _Pair) -> Entry:
    """Write a picture and its mask, and return their entry of the data list."""
    if isinstance(pair.written, bytes):
        image_name = f"images/{name}{image_path.suffix.lower()}"
        folder.save_bytes(pair.written, image_name)
    else:
        image_name = f"images/{name}.png"
        folder.save_picture(pair.written, image_name)
    mask_name = f"masks/{name}.png"
    folder.save_mask(pair.mask.pixels[0] > 0, mask_name)
    return {"id": name, "image": image_name, "label": mask_name}


def _to_integers(pixels: npt.NDArray[np.float32], path: Path) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Turn pixels (C, rows, columns) in [0, 1] into what a PNG holds: 8 bits if that is exact, else 16-bit grey."""
    bytes_ = np.round(pixels * 255)
    if np.array_equal(bytes_.astype(np.float32) / 255, pixels):
        return np.ascontiguousarray(bytes_.astype(np.uint8).transpose(1, 2, 0)).squeeze(-1 if len(pixels) == 1 else ())
    if len(pixels) > 1:
        raise InputError(f"The colored picture {path} has more than 8 bits per channel; convert it to PNG first.")
    return np.round(pixels[0].astype(np.float64) * 65535).astype(np.uint16)
