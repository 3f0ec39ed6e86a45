# SPDX-License-Identifier: Apache-2.0
"""Pixels of DICOM files as they are stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import JPEGExtended12Bit, RLELossless

from pipeline.utils import InputError

from .dicom_numbers import read_numbers

__all__ = ["PALETTE", "StoredValues", "read_stored_values"]

PALETTE = "PALETTE COLOR"
_NEEDED = (
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation"),
)
_OF_ONE_SAMPLE = ("MONOCHROME1", "MONOCHROME2", PALETTE)
_MOST_BITS = 32


@dataclass(frozen=True)
class StoredValues:
    """The pixels of a DICOM file as they are stored, without bits that belong to something else.

    Attributes:
        values: int64 (rows, columns), or (rows, columns, 3), which is RGB.
        low: the least value that the stored bits can hold.
        high: the greatest.
        photometric: MONOCHROME1, MONOCHROME2, PALETTE COLOR or RGB.
    """

    values: npt.NDArray[np.int64]
    low: int
    high: int
    photometric: str


def read_stored_values(data: FileDataset, path: Path, notes: list[str]) -> StoredValues:
    """Decode the one frame of a DICOM file (PS3.3 C.7.6.3, PS3.5 8).

    ``SamplesPerPixel`` decides what is color; YBR becomes RGB. After decoding, bits outside ``BitsStored`` and
    ``HighBit`` are dropped, and signed values take their sign from the highest stored bit.

    Args:
        data: from :func:`read_dicom`.
        path: its file, for messages.
        notes: gets a sentence for each contradiction in the file.

    Raises:
        InputError: if there are no pixels, several frames, floating-point pixels, or a compression or color space that
            cannot be decoded.
    """
    _check_elements(data, path, notes)
    color = int(data.SamplesPerPixel) == 3
    photometric = _photometric(data, color, notes)
    bits = int(data.BitsStored)
    # pydicom converts 8 bits only
    if photometric.startswith("YBR_FULL") and bits != 8:
        raise InputError(
            f"The DICOM file {path} has colors as {photometric} of {bits} bits, which cannot be read; save it as RGB."
        )
    decoder = _find_decoder(data, path)
    cells, properties = decoder.as_array(
        data, **as_pixel_options(data, photometric_interpretation=photometric, correct_unused_bits=False)
    )
    _check_size(cells, data, color, path)
    if color:
        photometric = str(properties["photometric_interpretation"])
        if photometric != "RGB":
            raise InputError(
                f"The DICOM file {path} has colors as {photometric}, which cannot be read; save it as RGB."
            )
    low = -(2 ** (bits - 1)) if data.PixelRepresentation else 0
    values = _stored_bits(cells.astype(np.int64), data, decoder, notes)
    return StoredValues(values, low, low + 2**bits - 1, photometric)


def _check_size(cells: npt.NDArray[Any], data: Dataset, color: bool, path: Path) -> None:
    size = (int(data.Rows), int(data.Columns), *([3] if color else []))
    if cells.shape != size:
        raise InputError(
            f"The DICOM file {path} holds {cells.size // math.prod(size)} times the pixels of its Rows and Columns: it "
            f"has several frames, or BitsAllocated ({data.BitsAllocated}) is wrong. One picture per file is needed."
        )


def _check_elements(data: Dataset, path: Path, notes: list[str]) -> None:
    if "FloatPixelData" in data or "DoubleFloatPixelData" in data:
        raise InputError(
            f"The DICOM file {path} holds floating-point pixels, which have no range of grey levels; save it with "
            "whole numbers (PixelData)."
        )
    missing = [keyword for keyword in (*_NEEDED, "PixelData") if keyword not in data or data[keyword].is_empty]
    if missing:
        cut_off = "; a picture without pixels was cut off: copy it again" if "PixelData" in missing else ""
        raise InputError(
            f"The file {path} cannot be read as a DICOM picture (it has no {', '.join(missing)}){cut_off}."
        )
    frames = read_numbers(data, "NumberOfFrames")
    if frames and not math.isfinite(frames[0]):
        notes.append("NumberOfFrames is not a number and was taken as 1.")
        del data.NumberOfFrames
    elif frames and frames[0] > 1:
        raise InputError(f"The DICOM file {path} holds {int(frames[0])} frames; one picture per file is needed.")
    if int(data.BitsStored) > _MOST_BITS:
        raise InputError(
            f"The DICOM file {path} has pixels of {data.BitsStored} bits; {_MOST_BITS} are the most that can be read."
        )


def _photometric(data: Dataset, color: bool, notes: list[str]) -> str:
    """Return what the samples mean; where it contradicts their number, the number counts."""
    named = str(data.PhotometricInterpretation).strip().upper()
    if color != (named in _OF_ONE_SAMPLE):
        return named
    taken = "RGB" if color else "MONOCHROME2"
    notes.append(f"PhotometricInterpretation does not go with SamplesPerPixel; the picture was read as {taken}.")
    return taken


def _find_decoder(data: FileDataset, path: Path) -> Decoder:
    syntax = data.file_meta.TransferSyntaxUID
    kind = f"The DICOM file {path} is compressed as {syntax.name}"
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise InputError(f"{kind}, which no package for DICOM decodes; save it uncompressed.") from error
    twelve_bits = syntax == JPEGExtended12Bit and int(data.BitsStored) > 8
    # Pillow is built for JPEG of 8 bits
    if not decoder.is_available or (twelve_bits and decoder.available_plugins == ("pillow",)):
        raise InputError(
            f"{kind}{' with 12 bits' if twelve_bits else ''}, which the installed packages cannot decode; run `pip "
            "install pylibjpeg-libjpeg` (GPL) or `pip install python-gdcm`, or save it uncompressed."
        )
    if data["PixelData"].is_undefined_length and not syntax.is_encapsulated:
        raise InputError(
            f"The DICOM file {path} has compressed pixels, and its TransferSyntaxUID does not say how they are "
            "compressed; export it again as DICOM."
        )
    return decoder


def _stored_bits(
    cells: npt.NDArray[np.int64], data: Dataset, decoder: Decoder, notes: list[str]
) -> npt.NDArray[np.int64]:
    """Return the values in the ``BitsStored`` bits up to ``HighBit`` of pixel cells."""
    allocated, bits, signed = int(data.BitsAllocated), int(data.BitsStored), bool(data.PixelRepresentation)
    shift = _shift(data, allocated, bits, notes)
    # JPEG and its like keep values and not cells, so that these may lie right-aligned in spite of the tag
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    if decoder.is_encapsulated and RLELossless != decoder.UID and low <= cells.min() and cells.max() < high:
        shift = 0
    cells = cells & (2**allocated - 1)
    cells >>= shift
    values = cells & (2**bits - 1)
    dropped = cells >> bits
    if signed:
        negative = values >> (bits - 1)
        values -= negative << bits
        # a negative number may go on to the left with ones
        dropped[(negative == 1) & (dropped == 2 ** (allocated - shift - bits) - 1)] = 0
    strange = np.count_nonzero(dropped)
    if strange and not _has_overlay_in_pixels(data):
        notes.append(f"{strange} pixels have bits above the {bits} that are said to be stored; these were dropped.")
    return values


def _shift(data: Dataset, allocated: int, bits: int, notes: list[str]) -> int:
    """Return how many bits lie below those of the value."""
    high_bit = read_numbers(data, "HighBit")
    if not high_bit:
        return 0
    if not bits - 1 <= high_bit[0] < allocated:
        notes.append("HighBit contradicts BitsStored and BitsAllocated and was ignored.")
        return 0
    return int(high_bit[0]) + 1 - bits


def _has_overlay_in_pixels(data: Dataset) -> bool:
    """Whether an overlay plane lies in unused bits of the pixels: it has a bit position and no data of its own."""
    groups = range(0x6000, 0x6020, 2)
    return any((group, 0x0102) in data and (group, 0x3000) not in data for group in groups)
