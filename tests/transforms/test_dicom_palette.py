# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import apply_color_lut

from pipeline.transforms import read_mask, read_picture
from pipeline.utils import InputError

from .files import asymmetric, fails, write_dicom

INDICES = asymmetric()
COLORS = ("Red", "Green", "Blue")


def palette(descriptor, tables, segmented=False):
    elements = {}
    for color, table in zip(COLORS, tables, strict=True):
        elements[f"{color}PaletteColorLookupTableDescriptor"] = descriptor
        prefix = "Segmented" if segmented else ""
        elements[f"{prefix}{color}PaletteColorLookupTableData"] = np.asarray(table).tobytes()
    return elements


def write(folder, elements, pixels=INDICES, **options):
    return write_dicom(folder / "a.dcm", pixels, photometric="PALETTE COLOR", **elements, **options)


TABLES = [np.arange(256), 255 - np.arange(256), np.arange(256) // 2]


@pytest.mark.parametrize("packed", [True, False])
def test_palette_of_8_bits(tmp_path, packed):
    tables = [table.astype(np.uint8 if packed else "<u2") for table in TABLES]
    pixels = read_picture(write(tmp_path, palette([256, 0, 8], tables))).pixels
    np.testing.assert_allclose(pixels, [table[INDICES] / 255 for table in TABLES], atol=1e-6)


def test_palette_of_8_bits_for_16_bit_pixels(tmp_path):
    """Indices above 255 are clamped to the last entry; they do not begin again at the first."""
    indices = asymmetric(maximum=700, dtype=np.uint16)
    tables = [table.astype(np.uint8) for table in TABLES]
    pixels = read_picture(write(tmp_path, palette([256, 100, 8], tables), indices, bits=16)).pixels
    expected = np.clip(indices.astype(int) - 100, 0, 255)
    np.testing.assert_allclose(pixels, [table[expected] / 255 for table in TABLES], atol=1e-6)


# entries 0 and 1; 254 steps to 65280; the first two segments again (bytes 0 to 10)
DISCRETE, LINEAR, INDIRECT = [0, 2, 0, 257], [1, 126, 65280], [2, 2, 0, 0]


def test_segmented_palette_against_pydicom(tmp_path):
    segments = np.array([*DISCRETE, *LINEAR, *INDIRECT], "<u2")
    path = write(tmp_path, palette([256, 0, 16], [segments] * 3, segmented=True))
    expected = apply_color_lut(INDICES, pydicom.dcmread(path)) / 65535
    assert len(np.unique(expected)) > 100
    np.testing.assert_allclose(read_picture(path).pixels, expected[:, :, :1].transpose(2, 0, 1), atol=1e-6)


def test_segmented_palette_of_8_bits(tmp_path):
    """PS3.3 C.7.9.2: a linear segment goes from the last entry to its own in equal steps."""
    segments = np.array([0, 1, 0, 1, 255, 255], np.uint8)
    path = write(tmp_path, palette([256, 0, 8], [segments] * 3, segmented=True))
    np.testing.assert_allclose(read_picture(path).pixels[0], INDICES / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ([1, 256, 7], "a segmented palette has a segment of the kind 1, which is not known or has no start"),
        ([3, 256, 7], "a segmented palette has a segment of the kind 3, which is not known or has no start"),
        ([0, 3, 1, 2, 3], "a segmented palette has 3 entries and must have 256"),
        ([2, 1, 0, 0], "a segmented palette has an indirect segment that names another one"),
    ],
)
def test_segmented_palettes_that_cannot_be_expanded(tmp_path, segments, reason):
    path = write(tmp_path, palette([256, 0, 16], [np.array(segments, "<u2")] * 3, segmented=True))
    with fails(f"The file {path} cannot be read as a DICOM picture ({reason})."):
        read_picture(path)


def test_no_palette(tmp_path):
    path = write(tmp_path, {})
    reason = "it is PALETTE COLOR, but has no table of red"
    with fails(f"The file {path} cannot be read as a DICOM picture ({reason})."):
        read_picture(path)


@pytest.mark.parametrize(
    ("colors", "foreground"),
    [
        ([(0, 0, 0), (255, 255, 255)], 1),
        ([(255, 255, 255), (0, 0, 0)], 0),
        ([(0, 0, 0), (128, 0, 0)], 1),
        ([(128, 0, 0), (0, 0, 0)], None),
        ([(0, 128, 0), (128, 0, 0)], None),
        ([(0, 0, 0), (0, 0, 0)], None),
    ],
)
def test_masks_with_a_palette(tmp_path, colors, foreground):
    indices = (INDICES > 100).astype(np.uint8)
    tables = np.array(colors, np.uint8).T
    path = write(tmp_path, palette([2, 0, 8], [np.ascontiguousarray(table) for table in tables]), indices)
    if foreground is None:
        with pytest.raises(InputError, match="a palette that tells another foreground than its stored indices do"):
            read_mask(path)
    else:
        np.testing.assert_array_equal(read_mask(path).pixels[0], indices == foreground)
