# SPDX-License-Identifier: Apache-2.0
"""ISBI 2016 as it is delivered."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.transforms import Picture, check_pair, is_picture, picture_name, read_mask, read_picture
from pipeline.utils import InputError, with_progress

from .output import OutputFolder, png_entries, raise_errors
from .resize import resize_mask, resize_picture
from .source import Remarks, list_source, read_or_note

__all__ = ["PAIRS", "add_arguments", "prepare_isbi2016"]

PAIRS = (900, 379)
PARTS = ("Training", "Test")
IMAGE_NAME = re.compile(r"ISIC_\d{7}", re.IGNORECASE)
MASK_NAME = re.compile(r"(ISIC_\d{7})_Segmentation", re.IGNORECASE)
# the largest pictures have 12 million pixels, for which a worker needs about a gigabyte
MOST_WORKERS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``isbi2016`` to its parser."""
    parser.add_argument("--root", type=Path, required=True, help="folder with the four ISBI2016_ISIC_Part1_... folders")
    parser.add_argument("--output", type=Path, required=True, help="folder to write, for example data/isbi2016")
    parser.add_argument("--size", type=int, default=256, help="rows and columns of what is written (default 256)")


def prepare_isbi2016(root: Path, output: Path, size: int = 256, pairs: tuple[int, int] = PAIRS) -> str:
    """Check ISBI 2016 Part 1 as it is delivered, and write resized pictures and lesion masks, with the 900/379 split.

    The pictures, which have up to 2848 × 4288 pixels, become 8-bit RGB PNG of ``size`` × ``size``: they are resized
    here, once, as the bundles' preprocessing would resize them at each start.

    Args:
        root: folder with ``ISBI2016_ISIC_Part1_Training_Data``, ``..._Training_GroundTruth``, ``..._Test_Data`` and
            ``..._Test_GroundTruth``, which may lie one level down.
        output: folder to write.
        size: rows and columns of what is written.
        pairs: how many pictures the training and the test part have.

    Returns:
        the line that closes the command.

    Raises:
        InputError: with one line for every file that is wrong.
        OSError: if a file cannot be written.
    """
    if size < 32:
        raise InputError(f"--size must be at least 32 pixels, got {size}.")
    training_images, training_masks, test_images, test_masks = _find_folders(root)
    remarks = Remarks()
    errors: list[str] = []
    training = _find_pairs(training_images, training_masks, pairs[0], remarks, errors)
    test = _find_pairs(test_images, test_masks, pairs[1], remarks, errors)
    errors += [
        f"The picture {name} is in the training and in the test part: {training[name].image} and {test[name].image}."
        for name in sorted(training.keys() & test.keys())
    ]
    both = training | test
    folder = OutputFolder(output, sources=(training_images, training_masks, test_images, test_masks))
    with closing(_in_threads(lambda files: _resize_pair(files, size), list(both.values()))) as results:
        for name, result in zip(with_progress(list(both), "isbi2016", "picture"), results, strict=True):
            errors += result.errors
            for path, note in result.notes.items():
                remarks.note(path, note)
            if result.image is not None and result.mask is not None:
                folder.save_picture(result.image, f"images/{name}.png")
                folder.save_mask(result.mask > 0, f"masks/{name}.png")
    remarks.print()
    raise_errors(errors)
    description = f"ISBI 2016 Part 1, resized to {size} x {size}, its own training and test"
    return folder.save_datalist(png_entries(training), png_entries(test), description)


@dataclass(frozen=True)
class _Files:
    image: Path
    mask: Path


@dataclass
class _Result:
    """The result for a pair: resized pixels, or what is wrong with its two files; notes on them."""

    image: npt.NDArray[np.uint8] | None = None
    mask: npt.NDArray[np.uint8] | None = None
    errors: list[str] = field(default_factory=list)
    notes: dict[Path, str] = field(default_factory=dict)


def _find_folders(root: Path) -> list[Path]:
    """Return the folders of training pictures, training masks, test pictures and test masks."""
    if not root.is_dir():
        raise InputError(f"The folder {root} does not exist.")
    names = [f"ISBI2016_ISIC_Part1_{part}_{kind}" for part in PARTS for kind in ("Data", "GroundTruth")]
    found = {
        name: next((path for path in (root / name, *sorted(root.glob(f"*/{name}"))) if path.is_dir()), None)
        for name in names
    }
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise InputError(
            f"The folder {root} lacks {', '.join(missing)}; name the folder that holds the four folders of ISBI 2016 "
            "Part 1 as they are delivered."
        )
    return [path for path in found.values() if path is not None]


def _find_pairs(images: Path, masks: Path, count: int, remarks: Remarks, errors: list[str]) -> dict[str, _Files]:
    """Return the files of each name, sorted; errors are files without a partner, and names that occur twice."""
    image_files = _find(images, IMAGE_NAME, "pictures", remarks, errors)
    mask_files = _find(masks, MASK_NAME, "masks", remarks, errors)
    names = sorted(image_files.keys() | mask_files.keys())
    if len(names) != count:
        advice = "copy those that are missing again" if len(names) < count else "take out what is not of this set"
        errors.append(f"The folders {images} and {masks} have {len(names)} pairs, and must have {count}; {advice}.")
    errors += [f"The picture {image_files[name]} has no mask in {masks}." for name in names if name not in mask_files]
    errors += [f"The mask {mask_files[name]} has no picture in {images}." for name in names if name not in image_files]
    return {
        name: _Files(image_files[name], mask_files[name])
        for name in names
        if name in image_files and name in mask_files
    }


def _find(folder: Path, pattern: re.Pattern[str], kind: str, remarks: Remarks, errors: list[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    others: list[Path] = []
    for path in list_source(folder, remarks, errors):
        if not is_picture(path):
            others.append(path)
            continue
        match = pattern.fullmatch(picture_name(path))
        if match is None:
            errors.append(f"The file {path} is not one of ISBI 2016's {kind}; take it out of the folder.")
            continue
        name = match[match.lastindex or 0].upper()
        other = found.setdefault(name, path)
        if other is not path:
            errors.append(f"The files {other} and {path} are both {name}; take one of them out of the folder.")
    remarks.leave_out_files(others)
    return found


def _in_threads(function: Callable[[_Files], _Result], files: Sequence[_Files]) -> Generator[_Result, None, None]:
    """Map in threads, in order; what has not begun when the generator is closed is dropped."""
    with ThreadPoolExecutor(min(MOST_WORKERS, os.cpu_count() or 1)) as pool:
        yield from pool.map(function, files)


def _resize_pair(files: _Files, size: int) -> _Result:
    """Read, check and resize a picture and its mask."""
    result = _Result()
    image = read_or_note(partial(_read_image, files.image), files.image, result.errors)
    mask = read_or_note(partial(_read_lesion, files.mask), files.mask, result.errors)
    if image is None or mask is None:
        return result
    result.notes = {files.image: image.notes, files.mask: mask.notes}
    resized = read_or_note(partial(_resize, files, image, mask, size), files.image, result.errors)
    if resized is not None:
        result.image, result.mask = resized
    return result


def _resize(
    files: _Files, image: Picture, mask: Picture, size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    check_pair(image, files.image, mask, files.mask)
    lesion = resize_mask(mask.pixels, size)
    if not lesion.any():
        raise InputError(
            f"The lesion of the mask {files.mask} is so small that nothing of it is left at {size} × {size}; give a "
            "larger --size."
        )
    return resize_picture(image.pixels, size), lesion


def _read_image(path: Path) -> Picture:
    """Return a picture of three channels."""
    picture = read_picture(path, channels=3)
    with Image.open(path) as image:
        mode = image.mode
    if mode.startswith("I"):
        raise InputError(f"The picture {path} has 16 bits per pixel, and those of ISBI 2016 have 8 per channel.")
    return picture


def _read_lesion(path: Path) -> Picture:
    """Return a mask with both values in it."""
    mask = read_mask(path)
    if not mask.pixels.any():
        raise InputError(f"The mask {path} is empty; every ISBI 2016 picture shows a lesion.")
    if mask.pixels.all():
        raise InputError(f"The mask {path} is all lesion; it is damaged.")
    return mask
