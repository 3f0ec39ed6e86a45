# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.transforms import (
    PICTURE_SUFFIXES,
    dicom_pseudonym,
    is_dicom_picture,
    is_picture,
    picture_name,
    read_dicom_tags,
    read_mask,
    read_picture,
)
from pipeline.utils import InputError

from .mask_size import check_mask_size
from .output import Entry, OutputFolder, raise_errors
from .splits import split_by_file, split_by_fraction, split_odd_even

__all__ = ["add_arguments", "prepare_pairs", "run"]

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
        "--odd-even", action="store_true", help="of the sorted names the 1st, 3rd, ... train, the others test (default)"
    )
    split.add_argument("--split-file", type=Path, help='JSON file {"training": [names], "test": [names]}')
    split.add_argument("--fraction", type=float, help="part drawn for the test, between 0 and 1")
    split.add_argument("--test-images", type=Path, help="folder of the test pictures; --images are for training then")
    parser.add_argument("--test-masks", type=Path, help="folder of the masks of --test-images")
    parser.add_argument(
        "--original-names",
        action="store_true",
        help="keep the names of DICOM files, which reports and MLflow then show (default: a hash of their UID)",
    )
    parser.add_argument("--description", help="what reports are to call the data (default: the pictures' folder)")


def run(options: argparse.Namespace) -> str:
    """Check a folder of pictures and one of masks with matching names, and write them with a split."""
    return prepare_pairs(
        options.images,
        options.masks,
        options.output,
        options.split_file,
        options.fraction,
        options.seed,
        options.test_images,
        options.test_masks,
        options.description,
        options.original_names,
    )


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
) -> str:
    """Write pictures, masks (0 and 255) and a data list.

    PNG and JPEG pictures are copied byte for byte. Others become the PNG of what a viewer shows, of 8 bits where these
    hold all its levels and else of 16. The split is odd/even, unless ``split_file``, ``test_fraction`` or
    ``test_images`` is given.

    Args:
        images: folder of pictures; other files in it are left alone.
        masks: folder of masks, two-valued and of their picture's size.
        output: folder to write; it can be moved as a whole.
        split_file: see :func:`data_prep.splits.split_by_file`.
        test_fraction: see :func:`data_prep.splits.split_by_fraction`.
        seed: of the draw.
        test_images: folder of the test pictures, if these lie apart; ``images`` is the training part then.
        test_masks: folder of their masks.
        description: what reports are to call the data; the name of the pictures' folder if None.
        original_names: keep the names of DICOM files too, which often are those of patients; else they are called by
            ``dicom_pseudonym``, in the data list, in the folder, and in all that is made of it.

    Returns:
        the line that closes the command.

    Raises:
        InputError: with one line for every file that is wrong.
        OSError: if a file cannot be written.
    """
    if (test_images is None) != (test_masks is None):
        raise InputError("--test-images and --test-masks go together; give both or none.")
    files, errors = _find_pairs(images, masks)
    if test_images is not None and test_masks is not None:
        test_files, test_errors = _find_pairs(test_images, test_masks)
        errors += test_errors
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
    folder = OutputFolder(output)
    entries: dict[str, Entry] = {}
    originals: dict[str, Path] = {}
    for name, pair in tqdm(files.items(), desc="pairs", unit="picture"):
        if pair.mask is None:
            continue
        saved = name if original_names else _without_patient(name, pair.image)
        other = originals.setdefault(saved, pair.image)
        if other is not pair.image:
            errors.append(
                f"The files {other} and {pair.image} are the same DICOM picture, by its SOP Instance UID; take one "
                "out, or give --original-names."
            )
            continue
        try:
            entries[name] = _save_pair(folder, saved, pair.image, pair.mask)
        except InputError as error:
            errors.append(str(error))
    raise_errors(errors)
    # the name of a folder of DICOM files may be a patient's
    hidden = bool(originals.keys() - files.keys())
    return folder.save_datalist(
        [entries[name] for name in training],
        [entries[name] for name in test],
        description or ("DICOM pictures" if hidden else f"pictures of the folder {images.name}"),
    )


class _Files(NamedTuple):
    image: Path
    mask: Path | None


def _find_pairs(images: Path, masks: Path) -> tuple[dict[str, _Files], list[str]]:
    """Return the files by picture name, sorted, and a line for each without its other and for each doubled name."""
    image_files, errors = _find(images, masks=False)
    mask_files, mask_errors = _find(masks, masks=True)
    if not image_files:
        raise InputError(f"The folder {images} holds no pictures ({', '.join(PICTURE_SUFFIXES)}).")
    names = sorted(image_files)
    errors += mask_errors
    errors += [f"The picture {image_files[name]} has no mask in {masks}." for name in names if name not in mask_files]
    errors += [f"The mask {path} has no picture in {images}." for name, path in mask_files.items() if name not in names]
    return {name: _Files(image_files[name], mask_files.get(name)) for name in names}, errors


def _find(folder: Path, masks: bool) -> tuple[dict[str, Path], list[str]]:
    """Return the picture files by name without ending, and a line for each name that two files have."""
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.")
    found: dict[str, Path] = {}
    errors: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.is_file() and is_picture(path)):
        name = picture_name(path)
        if masks:
            name = MASK_ENDING.sub("", name)
        other = found.setdefault(name, path)
        if other is not path:
            errors.append(f"The files {other} and {path} have the same name '{name}'; a picture has one mask.")
    return found, errors


def _without_patient(name: str, path: Path) -> str:
    return dicom_pseudonym(path, read_dicom_tags(path)) if is_dicom_picture(path) else name


def _save_pair(folder: OutputFolder, name: str, image_path: Path, mask_path: Path) -> Entry:
    """Check a picture and its mask, write both, and return their entry of the data list."""
    image = read_picture(image_path).pixels
    mask = read_mask(mask_path).pixels
    check_mask_size(image, image_path, mask, mask_path)
    if image_path.suffix.lower() in COPIED:
        image_name = f"images/{name}{image_path.suffix.lower()}"
        folder.save_bytes(image_path.read_bytes(), image_name)
    else:
        image_name = f"images/{name}.png"
        folder.save_picture(_to_integers(image, image_path), image_name)
    mask_name = f"masks/{name}.png"
    folder.save_picture((mask[0] * 255).astype(np.uint8), mask_name)
    return {"id": name, "image": image_name, "label": mask_name}


def _to_integers(pixels: npt.NDArray[np.float32], path: Path) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Turn pixels (C, rows, columns) in [0, 1] into what a PNG holds: 8 bits if that is exact, else 16-bit grey."""
    bytes_ = np.round(pixels * 255)
    if np.array_equal(bytes_.astype(np.float32) / 255, pixels):
        return np.ascontiguousarray(bytes_.astype(np.uint8).transpose(1, 2, 0)).squeeze(-1 if len(pixels) == 1 else ())
    if len(pixels) > 1:
        raise InputError(f"The colored picture {path} has more than 8 bits per channel; convert it to PNG first.")
    return np.round(pixels[0].astype(np.float64) * 65535).astype(np.uint16)
