# SPDX-License-Identifier: Apache-2.0
"""JSRT and the SCR masks as they are delivered."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.transforms import JSRT_MAXIMUM, JSRT_SHAPE, read_jsrt_image, read_mask
from pipeline.utils import InputError, with_progress

from .output import OutputFolder, png_entries, raise_errors
from .source import Remarks, list_source, read_or_note
from .splits import split_odd_even

__all__ = ["JSRT_NAMES", "SCR_SHAPE", "add_arguments", "film_to_picture", "prepare_jsrt"]

JSRT_NAMES = tuple(
    [f"JPCLN{number:03d}" for number in range(1, 155)] + [f"JPCNN{number:03d}" for number in range(1, 94)]
)
SCR_SHAPE = (1024, 1024)
SIDES = ("left lung", "right lung")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``jsrt`` to its parser."""
    parser.add_argument("--images", type=Path, required=True, help="folder with JPCLN001.IMG ... JPCNN093.IMG")
    parser.add_argument(
        "--masks", type=Path, required=True, help="folder of the SCR masks (with fold1 and fold2, or not)"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write, for example data/jsrt")


def prepare_jsrt(
    images: Path,
    masks: Path,
    output: Path,
    names: Sequence[str] = JSRT_NAMES,
    image_shape: tuple[int, int] = JSRT_SHAPE,
    mask_shape: tuple[int, int] = SCR_SHAPE,
) -> str:
    """Check JSRT and its SCR masks as they are delivered, and write pictures, lung masks and the 124/123 split.

    The pictures become 16-bit PNG, the joined lungs masks of the same size. Training is SCR's fold1 and test fold2;
    masks that come without folds are split in the same way: the odd-numbered names of the sorted list for training, the
    even-numbered for the test.

    Args:
        images: folder with the ``.IMG`` files, at any depth.
        masks: folder with the SCR masks, at any depth: ``fold1/masks/left lung/JPCLN001.gif``, or without folds, with
            underscores, or with the side in the file's name. GIF or PNG.
        output: folder to write.
        names: the pictures of the set.
        image_shape: their rows and columns.
        mask_shape: rows and columns of the masks, of which ``image_shape`` is a multiple.

    Returns:
        the line that closes the command.

    Raises:
        InputError: with one line for every file that is wrong.
        OSError: if a file cannot be written.
    """
    remarks = Remarks()
    errors: list[str] = []
    image_files = list_source(images, remarks, errors, leave_out=[output, masks])
    mask_files = list_source(masks, remarks, errors, leave_out=[output, images])
    films = _find_images(images, image_files, names, remarks, errors)
    lungs = _find_masks(masks, mask_files, names, remarks, errors)
    folder = OutputFolder(output, sources=(images, masks))
    for name in with_progress(names, "jsrt", "picture"):
        if name not in films or any((name, side) not in lungs for side in SIDES):
            continue
        left, right = (lungs[name, side].path for side in SIDES)
        values = read_or_note(partial(read_jsrt_image, films[name], image_shape), films[name], errors)
        mask = read_or_note(partial(_join_lungs, left, right, mask_shape, remarks), left, errors)
        if values is None or mask is None:
            continue
        # every mask pixel covers a whole number of picture pixels, so that nothing is lost
        scale = [image // mask for image, mask in zip(image_shape, mask_shape, strict=True)]
        mask = mask.repeat(scale[0], axis=0).repeat(scale[1], axis=1)
        folder.save_picture(film_to_picture(values), f"images/{name}.png")
        folder.save_mask(mask, f"masks/{name}.png")
    remarks.print()
    raise_errors(errors)
    folds = {name: lungs[name, SIDES[0]].fold for name in names}
    if None in folds.values():
        training, test = split_odd_even(names)
    else:
        training, test = ([name for name in sorted(names) if folds[name] == fold] for fold in (1, 2))
    return folder.save_datalist(png_entries(training), png_entries(test), "JSRT with SCR lung masks, fold1 and fold2")


def film_to_picture(values: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Turn JSRT's film values (0 to 4095, low is bright) into 16-bit grey: ``(4095 - value) / 4095`` of 65535.

    The 4096 levels stay 4096 different levels, from which the values can be told.
    """
    return np.round((JSRT_MAXIMUM - values.astype(np.float64)) * (65535 / JSRT_MAXIMUM)).astype(np.uint16)


@dataclass(frozen=True)
class _MaskFile:
    path: Path
    fold: int | None


def _find_images(
    folder: Path, files: Iterable[Path], names: Iterable[str], remarks: Remarks, errors: list[str]
) -> dict[str, Path]:
    """Return the file of each name; errors are a name without a file, and a file without a name."""
    found: dict[str, Path] = {}
    others: list[Path] = []
    for path in files:
        name = path.stem.upper()
        if path.suffix.lower() != ".img":
            others.append(path)
            continue
        if name not in names:
            errors.append(f"The file {path} is not one of JSRT's pictures; take it out of the folder.")
        elif name in found:
            errors.append(f"The picture {name} exists twice: {found[name]} and {path}.")
        else:
            found[name] = path
    errors += [f"The picture {name}.IMG is missing in {folder}." for name in names if name not in found]
    remarks.leave_out_files(others)
    return found


def _find_masks(
    folder: Path, files: Iterable[Path], names: Iterable[str], remarks: Remarks, errors: list[str]
) -> dict[tuple[str, str], _MaskFile]:
    """Return the file of each name and side; errors are those that are missing, doubled or in two folds."""
    found: dict[tuple[str, str], _MaskFile] = {}
    others: list[Path] = []
    for path in files:
        if path.suffix.lower() not in (".gif", ".png"):
            others.append(path)
            continue
        words = f"{path.parent.name} {path.stem}".lower().replace("_", " ")
        side = next((side for side in SIDES if side in words), None)
        code = re.search(r"JPC[LN]N\d{3}", path.stem.upper())
        if side is None or code is None or code[0] not in names:
            remarks.leave_out({"masks of other parts or pictures": 1})
            continue
        folds = [int(part[-1]) for part in path.relative_to(folder).parts if part.lower() in ("fold1", "fold2")]
        file = _MaskFile(path, folds[0] if folds else None)
        other = found.setdefault((code[0], side), file)
        if other is not file:
            errors.append(f"The {side} mask of {code[0]} exists twice: {other.path} and {path}.")
    for name in names:
        missing = [side for side in SIDES if (name, side) not in found]
        errors += [f"The {side} mask of {name} is missing in {folder}." for side in missing]
        if not missing and len({found[name, side].fold for side in SIDES}) > 1:
            errors.append(f"The two lung masks of {name} are in different folds: {found[name, SIDES[0]].path}.")
    loose = [file.path for file in found.values() if file.fold is None]
    if 0 < len(loose) < len(found):
        errors.append(
            f"{len(loose)} of {len(found)} masks lie outside fold1 and fold2, which say what is for training and what "
            f"for the test (the first is {min(loose)}); move them into these folders, or all masks out of them."
        )
    remarks.leave_out_files(others)
    return found


def _join_lungs(left_path: Path, right_path: Path, shape: tuple[int, int], remarks: Remarks) -> npt.NDArray[np.bool_]:
    """Read and check both lungs of a picture and return where either is.

    "Left" is the patient's left, as in all of SCR's structures; a frontal radiograph is shown as if the patient faced
    the viewer, so that the left lung lies in the right half.
    """
    left, right = (_read_lung(path, shape, remarks) for path in (left_path, right_path))
    both = int((left & right).sum())
    if both:
        raise InputError(f"The masks {left_path} and {right_path} overlap in {both} pixels.")
    if np.nonzero(left)[1].mean() <= np.nonzero(right)[1].mean():
        raise InputError(
            f"The masks {left_path} and {right_path} are swapped or mirrored: the patient's left lung must lie to the "
            "right of the right lung in the picture."
        )
    return left | right


def _read_lung(path: Path, shape: tuple[int, int], remarks: Remarks) -> npt.NDArray[np.bool_]:
    mask = read_mask(path)
    remarks.note(path, mask.notes)
    lung = mask.pixels[0] > 0
    if lung.shape != shape:
        raise InputError(
            f"The mask {path} has {lung.shape[0]} × {lung.shape[1]} pixels (rows × columns), and it must have "
            f"{shape[0]} × {shape[1]}."
        )
    if not lung.any():
        raise InputError(f"The mask {path} is empty; every JSRT picture shows both lungs.")
    if lung.all():
        raise InputError(f"The mask {path} is all lung; it is damaged.")
    return lung
