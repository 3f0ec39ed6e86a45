# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, SecondaryCaptureImageStorage

from pipeline.utils import InputError

# builders of picture files for the tests


def fails(message: str):
    """Expect an InputError of exactly this message."""
    return pytest.raises(InputError, match=f"^{re.escape(message)}$")


def asymmetric(shape=(40, 64), maximum=255, dtype=np.uint8):
    """A picture that looks different however it is turned, with 0 and ``maximum`` in it; smooth, for JPEG."""
    row, column = np.indices(shape) / np.array(shape).reshape(2, 1, 1)
    values = row**2 + 0.5 * column + 0.3 * row * column
    values = (values - values.min()) / (values.max() - values.min())
    return np.round(values * maximum).astype(dtype)


def write_dicom(
    path: Path, pixels, bits=8, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian, **elements
) -> Path:
    """Write pixels (rows, columns[, 3]), or with ``NumberOfFrames`` (frames, rows, columns)."""
    pixels = np.asarray(pixels)
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3", "1.2.4", "1.2.5"
    data.Modality = "DX"
    color = pixels.shape[-1] == 3
    data.Rows, data.Columns = pixels.shape[-3:-1] if color else pixels.shape[-2:]
    data.SamplesPerPixel = 3 if color else 1
    if color:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = photometric
    data.BitsAllocated = 8 if bits <= 8 else 16
    data.BitsStored, data.HighBit = bits, bits - 1
    data.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    data.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    data["PixelData"].VR = "OB" if bits <= 8 else "OW"
    for name, value in elements.items():
        setattr(data, name, value)
    if syntax == JPEG2000Lossless:
        data.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    elif syntax == JPEGBaseline8Bit:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="JPEG", quality=98, subsampling=0)
        data.PixelData = encapsulate([buffer.getvalue()])
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.save_as(path, enforce_file_format=True)
    return path


def write_png_16(path: Path, pixels, color_type: int) -> Path:
    """Write uint16 (rows, columns, channels) as PNG of color type 0 grey, 2 RGB, 4 grey + alpha, 6 RGBA."""
    rows, columns = pixels.shape[:2]

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", columns, rows, 16, color_type, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def write_nifti(path: Path, values, affine=None) -> Path:
    nib.save(nib.Nifti1Image(values, np.eye(4) if affine is None else affine), path)
    return path


def dicom_table(descriptor, data) -> list[pydicom.Dataset]:
    """A sequence of one lookup table; ``data`` is None, numbers (US) or bytes (OW)."""
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "SS" if descriptor[1] < 0 else "US", list(descriptor))
    if data is not None:
        item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return [item]


def replace_text(path: Path, old: bytes, new: bytes) -> Path:
    """Put text into a file that pydicom would not write, in the place of other text."""
    content = path.read_bytes()
    assert content.count(old) == 1 and len(new) <= len(old)
    path.write_bytes(content.replace(old, new.ljust(len(old))))
    return path
