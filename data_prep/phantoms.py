# SPDX-License-Identifier: Apache-2.0
"""Sets of phantoms."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.utils import InputError, with_progress

from .lesion_image import make_lesion
from .output import OutputFolder, png_entries
from .phantom_image import make_phantom
from .splits import split_by_fraction

__all__ = ["add_arguments", "prepare_phantoms"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``phantoms`` to its parser."""
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--kind", choices=["chest", "skin"], default="chest", help="what is drawn (default chest)")
    parser.add_argument("--count", type=int, default=128, help="pictures, training and test together (default 128)")
    parser.add_argument("--size", type=int, default=256, help="rows and columns (default 256)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same files (default 0)")
    parser.add_argument("--test-fraction", type=float, default=0.25, help="part kept for the test (default 0.25)")


def prepare_phantoms(
    output: Path, count: int = 128, size: int = 256, seed: int = 0, test_fraction: float = 0.25, kind: str = "chest"
) -> str:
    """Write phantoms of chest radiographs with exact lung masks, or of dermoscopy with exact lesion masks.

    ``kind`` is "chest", see :func:`make_phantom`, or "skin", see :func:`make_lesion`.

    Returns:
        the line that closes the command.

    Raises:
        InputError: if an option is out of range.
        OSError: if a file cannot be written.
    """
    if count < 2:
        raise InputError(f"--count must be at least 2, one to train with and one to test, got {count}.")
    if size < 32:
        raise InputError(f"--size must be at least 32 pixels, got {size}.")
    if seed < 0:
        raise InputError(f"--seed must not be negative, got {seed}.")
    make, what = {"chest": (make_phantom, "chest-radiograph"), "skin": (make_lesion, "dermoscopy")}[kind]
    names = [f"phantom_{index:04d}" for index in range(count)]
    training, test = split_by_fraction(names, test_fraction, seed)
    folder = OutputFolder(output)
    for index, name in enumerate(with_progress(names, "phantoms", "picture")):
        image, mask = make(seed, index, size)
        folder.save_picture(image, f"images/{name}.png")
        folder.save_mask(mask > 0, f"masks/{name}.png")
    description = f"{count} {what} phantoms, {size} x {size}, seed {seed}"
    return folder.save_datalist(png_entries(training), png_entries(test), description)
