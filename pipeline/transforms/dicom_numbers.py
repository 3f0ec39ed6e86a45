# SPDX-License-Identifier: Apache-2.0
"""Numbers in DICOM elements, which may be malformed."""

from __future__ import annotations

import math
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

__all__ = ["read_numbers", "read_spacing"]


def read_numbers(data: Dataset, keyword: str) -> list[float]:
    """Return the numbers of an element: none where it is absent or empty, NaN for each that is not a number."""
    try:
        value = data.get(keyword)
    # pydicom converts when a value is asked for, and one bad number spoils all of the element
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        return [math.nan]
    if value is None or value == "":
        return []
    return [_number(part) for part in (value if isinstance(value, MultiValue | list | tuple) else [value])]


def _number(part: Any) -> float:
    try:
        return float(part)
    except (ValueError, TypeError, OverflowError):
        return math.nan


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
