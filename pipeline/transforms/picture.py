# SPDX-License-Identifier: Apache-2.0
"""A picture in memory, whatever its file's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Picture", "plain_picture"]


@dataclass
class Picture:
    """A picture the right way up.

    Attributes:
        pixels: float32 (C, rows, columns) in [0, 1], C being 1 or 3.
        spacing: mm between rows and between columns, 1 where the file does not say.
        original_shape: array shape for writing a NIfTI file beside this one.
        original_affine: affine (4, 4) that goes with that shape.
        notes: sentences for the user on what the file says wrongly, or not at all, and how it was read instead;
            nothing of the patient and no file name.
        exif_orientation: the EXIF orientation, 2 to 8, after which the pixels were turned or mirrored; 1 if they were
            not.
    """

    pixels: npt.NDArray[np.float32]
    spacing: tuple[float, float]
    original_shape: tuple[int, ...]
    original_affine: npt.NDArray[np.float64]
    notes: str = ""
    exif_orientation: int = 1


def plain_picture(
    pixels: npt.NDArray[np.floating[Any]],
    spacing: tuple[float, float] = (1.0, 1.0),
    notes: Sequence[str] = (),
    exif_orientation: int = 1,
) -> Picture:
    """Return the picture of a file that has no place in the patient, see ``to_original_orientation``.

    Args:
        pixels: (C, rows, columns) in [0, 1]; three equal channels become one.
        spacing: mm between rows and between columns.
        notes: see :class:`Picture`.
        exif_orientation: see :class:`Picture`.
    """
    if len(pixels) == 3 and np.array_equal(pixels[0], pixels[1]) and np.array_equal(pixels[0], pixels[2]):
        pixels = pixels[:1]
    rows, columns = pixels.shape[1:]
    return Picture(
        pixels=np.ascontiguousarray(pixels, dtype=np.float32),
        spacing=spacing,
        original_shape=(columns, rows, 1),
        original_affine=np.diag([-spacing[1], -spacing[0], 1.0, 1.0]),
        notes=" ".join(notes),
        exif_orientation=exif_orientation,
    )
