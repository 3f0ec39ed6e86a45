# SPDX-License-Identifier: Apache-2.0
"""Lookup tables and palettes of DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.valuerep import VR

from .dicom_numbers import read_numbers

__all__ = [
    "Descriptor",
    "LookupTable",
    "Palette",
    "read_descriptor",
    "read_palette",
    "read_table",
    "table_white",
    "unpack_bytes",
    "unpack_words",
]


@dataclass(frozen=True)
class LookupTable:
    """A lookup table of DICOM (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5).

    Attributes:
        first: the value that the first entry maps.
        entries: int64, the results.
        bits: of each entry, as the file says.
    """

    first: int
    entries: npt.NDArray[np.int64]
    bits: int

    def __call__(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Map values; what lies below or above the table gets its first or last entry."""
        # clipped before the cast: a value may be greater than any whole number
        indices = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.int64)
        return self.entries[indices]


@dataclass(frozen=True)
class Descriptor:
    """What a file says of a table: the number of its entries, the value that the first one maps, bits per entry."""

    count: int
    first: int
    bits: int


def read_descriptor(data: Dataset, keyword: str, signed: bool) -> Descriptor | None:
    """Read the descriptor of a table, None where it is absent or has not three numbers.

    Args:
        data: the data set or the item of a sequence that holds it.
        keyword: of the descriptor.
        signed: whether values to be mapped may be negative, so that the first value mapped is signed. The other two
            numbers never are, and 0 entries are 65536.
    """
    numbers = read_numbers(data, keyword)
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        return None
    count, first, bits = (int(number) & 0xFFFF for number in numbers)
    if first >= 2**15 and (signed or data[keyword].VR == VR.SS):
        first -= 2**16
    return Descriptor(count or 2**16, first, bits)


def unpack_words(content: Any, little_endian: bool) -> npt.NDArray[np.uint16]:
    """Return the 16-bit words of an element, whose content is bytes (OW), or one or more numbers (US or SS).

    Args:
        content: of the element; None or empty if it has none.
        little_endian: byte order of bytes.
    """
    if isinstance(content, bytes):
        return np.frombuffer(content[: len(content) // 2 * 2], "<u2" if little_endian else ">u2").astype(np.uint16)
    numbers = np.atleast_1d(np.asarray([] if content is None else content, dtype=np.int64))
    return (numbers & 0xFFFF).astype(np.uint16)


def unpack_bytes(words: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Return the two bytes of each word, the low one first."""
    return words.astype("<u2").view(np.uint8)


def read_table(words: npt.NDArray[np.uint16], descriptor: Descriptor, notes: list[str]) -> LookupTable:
    """Return the table of words (one at least) that hold one entry each, or two entries of 8 bits.

    Args:
        words: of the table.
        descriptor: of the table.
        notes: gets a sentence if there are fewer entries than the descriptor says.
    """
    packed = descriptor.bits <= 8 and len(words) == (descriptor.count + 1) // 2
    entries = unpack_bytes(words) if packed else words
    if len(entries) < descriptor.count:
        notes.append(
            f"A lookup table has only {len(entries)} of its {descriptor.count} entries; the last one stands for those "
            "that are missing."
        )
    return LookupTable(descriptor.first, entries[: descriptor.count].astype(np.int64), descriptor.bits)


def table_white(entries: npt.NDArray[np.int64], bits: int, notes: list[str]) -> int:
    """Return the entry that is white: the greatest of ``bits`` bits, or the greatest of a table that has other bits.

    Args:
        entries: of the table.
        bits: of an entry, as the file says. The file is wrong if entries exceed them or use less than an eighth of
            their range; then the greatest entry is white.
        notes: gets a sentence on it.
    """
    greatest = int(entries.max())
    announced = 2**bits - 1
    if (announced + 1) / 8 <= greatest <= announced:
        return announced
    notes.append(
        f"A lookup table is said to have {bits} bits, but its greatest entry is {greatest}, which was taken as white."
    )
    return max(greatest, 1)


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
