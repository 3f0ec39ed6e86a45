# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from pydicom.dataset import Dataset

from .dicom_numbers import read_numbers

__all__ = ["read_spacing"]


def read_spacing(data: Dataset, notes: list[str]) -> tuple[float, float]:
    """Return mm between rows and between columns: PixelSpacing, else ImagerPixelSpacing, else 1.

    Args:
        data: a DICOM data set.
        notes: gets a sentence for each of the two that is there and is not two positive numbers.
    """
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        spacing = read_numbers(data, keyword)
        if len(spacing) == 2 and all(math.isfinite(number) and number > 0 for number in spacing):
            return spacing[0], spacing[1]
        if spacing:
            notes.append(f"{keyword} is not two positive numbers and was ignored (1 mm where nothing else is given).")
    return 1.0, 1.0
