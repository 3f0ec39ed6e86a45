# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from .dicom_lookup_table import (
    Descriptor,
    LookupTable,
    read_descriptor,
    read_table,
    table_white,
    unpack_bytes,
    unpack_words,
)

__all__ = ["Palette", "read_palette"]

_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


class Palette:
    """The tables of red, green and blue of a PALETTE COLOR picture."""

    def __init__(self, tables: Sequence[LookupTable]) -> None:
        self.tables = tables

    def __call__(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the colors (rows, columns, 3) of stored values (rows, columns)."""
        return np.stack([table(indices) for table in self.tables], axis=-1)

    def white(self, notes: list[str]) -> int:
        """Return the entry that is the full color, see :func:`table_white`."""
        return table_white(np.concatenate([table.entries for table in self.tables]), self.tables[0].bits, notes)


def read_palette(data: Dataset, signed: bool, little_endian: bool, notes: list[str]) -> Palette:
    """Read the palette of a data set, plain (PS3.3 C.7.6.3.1.5 and .6) or segmented (C.7.9.2).

    Args:
        data: the data set.
        signed: whether its stored values are signed.
        little_endian: byte order of the file.
        notes: gets a sentence for a table that is too short.

    Raises:
        ValueError: if a color has no table, or one that cannot be expanded.
    """
    return Palette([_read_color(data, color, signed, little_endian, notes) for color in ("Red", "Green", "Blue")])


def _read_color(data: Dataset, color: str, signed: bool, little_endian: bool, notes: list[str]) -> LookupTable:
    descriptor = read_descriptor(data, f"{color}PaletteColorLookupTableDescriptor", signed)
    if descriptor is not None:
        words = unpack_words(data.get(f"{color}PaletteColorLookupTableData"), little_endian)
        if words.size:
            return read_table(words, descriptor, notes)
        words = unpack_words(data.get(f"Segmented{color}PaletteColorLookupTableData"), little_endian)
        if words.size:
            return _read_segmented(words, descriptor)
    raise ValueError(f"it is PALETTE COLOR, but has no table of {color.lower()}")


def _read_segmented(words: npt.NDArray[np.uint16], descriptor: Descriptor) -> LookupTable:
    numbers = (unpack_bytes(words) if descriptor.bits <= 8 else words).tolist()
    entries: list[int] = []
    position = 0
    while len(entries) < descriptor.count and position + 2 < len(numbers):
        position = _expand_segment(numbers, position, entries, descriptor.bits)
    if len(entries) != descriptor.count:
        raise ValueError(f"a segmented palette has {len(entries)} entries and must have {descriptor.count}")
    return LookupTable(descriptor.first, np.asarray(entries, dtype=np.int64), descriptor.bits)


def _expand_segment(numbers: list[int], position: int, entries: list[int], bits: int) -> int:
    """Add the entries of the segment at a position, and return the position of the next segment."""
    kind, length = numbers[position : position + 2]
    position += 2
    if kind == _DISCRETE:
        entries += numbers[position : position + length]
        return position + length
    if kind == _LINEAR and entries:
        start, end = entries[-1], numbers[position]
        entries += [round(start + (end - start) * step / length) for step in range(1, length + 1)]
        return position + 1
    if kind == _INDIRECT:
        # the offset has 32 bits, the low ones first, and counts bytes
        size, step = (1, 4) if bits <= 8 else (2, 2)
        offset = sum(part << 8 * size * power for power, part in enumerate(numbers[position : position + step]))
        copied = offset // size
        for _ in range(length):
            if numbers[copied] == _INDIRECT:
                raise ValueError("a segmented palette has an indirect segment that names another one")
            copied = _expand_segment(numbers, copied, entries, bits)
        return position + step
    raise ValueError(f"a segmented palette has a segment of the kind {kind}, which is not known or has no start")
