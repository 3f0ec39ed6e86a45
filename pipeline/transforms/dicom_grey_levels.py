# SPDX-License-Identifier: Apache-2.0
"""Grey levels of DICOM pictures, from stored values to what a viewer shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from .dicom_lookup_table import LookupTable, read_descriptor, read_table, table_white, unpack_words
from .dicom_numbers import read_numbers
from .dicom_stored_values import StoredValues
from .display_window import lost_in_window

__all__ = ["grey_levels"]

# the least width of a window by its function, PS3.3 C.11.2.1.2 and C.11.2.1.3
_LEAST_WIDTH = {"LINEAR": 1.0, "LINEAR_EXACT": math.ulp(0.0), "SIGMOID": math.ulp(0.0)}


@dataclass(frozen=True)
class _Values:
    """Values of pixels (rows, columns) with their range, whose ends are black and white if nothing else follows."""

    values: npt.NDArray[Any]
    low: float
    high: float


def grey_levels(stored: StoredValues, data: Dataset, little_endian: bool, notes: list[str]) -> npt.NDArray[np.float64]:
    """Return the grey levels (rows, columns) of a DICOM picture of one sample per pixel, 0 black and 1 white.

    Modality LUT or rescale come first (PS3.3 C.11.1), then VOI LUT or the first window (C.11.2). Black and white are
    the ends of the range that the last of these can give. MONOCHROME1 is inverted after that (C.7.6.3.1.2).

    Args:
        stored: from :func:`read_stored_values`.
        data: the data set.
        little_endian: its byte order.
        notes: gets a sentence for each thing that was ignored or is contradictory.
    """
    measured = _modality(_Values(stored.values, stored.low, stored.high), data, little_endian, notes)
    shown = _values_of_interest(measured, data, little_endian, notes)
    levels = np.clip((shown.values - shown.low) / (shown.high - shown.low), 0, 1)
    inverted = stored.photometric == "MONOCHROME1"
    shape = str(data.get("PresentationLUTShape") or "").strip().upper()
    if shape in ("IDENTITY", "INVERSE") and (shape == "INVERSE") != inverted:
        notes.append(f"PresentationLUTShape contradicts {stored.photometric}, which was followed.")
    return 1 - levels if inverted else levels


def _modality(stored: _Values, data: Dataset, little_endian: bool, notes: list[str]) -> _Values:
    """Apply the modality LUT, else slope and intercept, of which each may be absent."""
    table = _first_table(data, "ModalityLUTSequence", stored, little_endian, notes)
    slope = _rescale_number(data, "RescaleSlope", 1.0, notes)
    intercept = _rescale_number(data, "RescaleIntercept", 0.0, notes)
    if table is not None:
        if (slope, intercept) != (1, 0):
            notes.append("There is a modality LUT beside slope and intercept, which were ignored.")
        # a modality LUT may be said to have 8 or 16 bits only (C.11.1.1.1): 16 tell nothing of what it holds
        held = int(table.entries.max()).bit_length()
        white = table_white(table.entries, table.bits if table.bits <= 8 else max(held, 1), notes)
        return _Values(table(stored.values), 0, white)
    low, high = sorted((stored.low * slope + intercept, stored.high * slope + intercept))
    return _Values(stored.values * slope + intercept, low, high)


def _rescale_number(data: Dataset, keyword: str, default: float, notes: list[str]) -> float:
    numbers = read_numbers(data, keyword)
    if not numbers:
        return default
    if not math.isfinite(numbers[0]) or (keyword == "RescaleSlope" and numbers[0] == 0):
        notes.append(f"{keyword} is not a usable number and was taken as {default:g}.")
        return default
    return numbers[0]


def _values_of_interest(measured: _Values, data: Dataset, little_endian: bool, notes: list[str]) -> _Values:
    """Apply the VOI LUT, else the first usable window, if there is one."""
    table = _first_table(data, "VOILUTSequence", measured, little_endian, notes)
    if table is not None:
        return _Values(table(measured.values), 0, table_white(table.entries, table.bits, notes))
    function = str(data.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function not in _LEAST_WIDTH:
        notes.append("VOILUTFunction is not one of DICOM's and was taken as LINEAR.")
        function = "LINEAR"
    centers, widths = read_numbers(data, "WindowCenter"), read_numbers(data, "WindowWidth")
    if not centers and not widths:
        return measured
    usable = [
        (center, width)
        for center, width in zip(centers, widths)  # noqa: B905 - one may have fewer values
        if np.isfinite([center, width]).all() and width >= _LEAST_WIDTH[function]
    ]
    if not usable:
        notes.append("WindowCenter and WindowWidth are not a usable window and were ignored.")
        return measured
    return _window(measured.values, *usable[0], function, notes)


def _window(values: npt.NDArray[Any], center: float, width: float, function: str, notes: list[str]) -> _Values:
    if function == "SIGMOID":
        # exp of less than -700 or more would leave float64
        return _Values(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700))), 0, 1)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    notes += lost_in_window(values, center - width / 2, center + width / 2)
    if width == 0:
        return _Values(values > center, 0, 1)
    return _Values((values - center) / width + 0.5, 0, 1)


def _first_table(
    data: Dataset, keyword: str, values: _Values, little_endian: bool, notes: list[str]
) -> LookupTable | None:
    """Return the first table of a sequence that has entries, for values of a range."""
    for item in data.get(keyword) or ():
        descriptor = read_descriptor(item, "LUTDescriptor", values.low < 0)
        words = unpack_words(item.get("LUTData"), little_endian)
        if descriptor is not None and words.size:
            return read_table(words, descriptor, notes)
    return None
