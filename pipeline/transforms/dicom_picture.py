# SPDX-License-Identifier: Apache-2.0
"""DICOM files as pictures and masks."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from .dicom_file import read_dicom, reading_dicom
from .dicom_grey_levels import grey_levels
from .dicom_lookup_table import read_palette
from .dicom_numbers import read_spacing
from .dicom_stored_values import PALETTE, read_stored_values
from .mask_values import one_channel, palette_values, zeros_and_ones
from .picture import Picture, plain_picture

__all__ = ["decode_dicom", "decode_dicom_mask"]

_MACROS = ("PixelMeasuresSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence")


def decode_dicom(path: Path) -> Picture:
    """Decode a DICOM picture of one frame as DICOM PS3.3 says to show it, see :func:`grey_levels`.

    Palette, RGB and YBR are taken as color.

    Raises:
        InputError: if the file is not DICOM, is damaged, has no pixels or several frames, or a compression that cannot
            be decoded.
    """
    notes: list[str] = []
    with reading_dicom(path):
        data = read_dicom(path)
        _take_from_functional_groups(data)
        if data.preamble is None:
            notes.append("The file has no DICOM header; how it is encoded was taken from its content.")
        little_endian = bool(data.original_encoding[1])
        stored = read_stored_values(data, path, notes)
        if stored.photometric == PALETTE:
            palette = read_palette(data, stored.low < 0, little_endian, notes)
            pixels = (palette(stored.values) / palette.white(notes)).transpose(2, 0, 1)
        elif stored.values.ndim == 3:
            pixels = ((stored.values - stored.low) / (stored.high - stored.low)).transpose(2, 0, 1)
        else:
            pixels = grey_levels(stored, data, little_endian, notes)[None]
        return plain_picture(pixels, read_spacing(data, notes), notes)


def _take_from_functional_groups(data: Dataset) -> None:
    """Give the one frame of an enhanced object what its functional groups say about it (PS3.3 C.7.6.16)."""
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in list(data.get(groups) or ())[:1]:
            for macro in _MACROS:
                for element in (element for item in list(group.get(macro) or ())[:1] for element in item):
                    data.setdefault(element.tag, element)


def decode_dicom_mask(path: Path) -> Picture:
    """Decode a DICOM mask of one frame: 0 where the stored value is 0, whatever the file says of showing it.

    Raises:
        InputError: as :func:`decode_dicom`, and if there are more values than 0 and one other.
    """
    notes: list[str] = []
    with reading_dicom(path):
        data = read_dicom(path)
        stored = read_stored_values(data, path, notes)
        values = one_channel(stored.values, path) if stored.values.ndim == 3 else stored.values
        if stored.photometric == PALETTE:
            palette = read_palette(data, stored.low < 0, bool(data.original_encoding[1]), notes)
            values = palette_values(values, palette(values), path)
        return plain_picture(zeros_and_ones(values, path), read_spacing(data, notes), notes)
