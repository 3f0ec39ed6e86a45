# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGExtended12Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from pipeline.transforms import read_mask, read_picture

from .files import asymmetric, dicom_table, fails, write_dicom

RAMP = asymmetric(maximum=4095, dtype=np.uint16)
X = RAMP / 4095


def compressed(path, syntax):
    data = pydicom.dcmread(path)
    data.compress(syntax, generate_instance_uid=False)
    data.save_as(path)
    return path


def test_left_aligned_values_are_shifted(tmp_path):
    """PS3.5 8.1.1 before 2011: the value lies in BitsStored bits below HighBit; the bits beneath may hold anything."""
    picture = read_picture(write_dicom(tmp_path / "a.dcm", (RAMP << 4) | (RAMP & 15), bits=12, HighBit=15))
    np.testing.assert_allclose(picture.pixels[0], X, atol=1e-6)
    assert picture.notes == ""


def test_left_aligned_signed_values(tmp_path):
    stored = ((RAMP.astype(np.int32) - 2048) << 4).astype(np.int16)
    picture = read_picture(write_dicom(tmp_path / "a.dcm", stored, bits=12, HighBit=15))
    np.testing.assert_allclose(picture.pixels[0], X, atol=1e-6)


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("signed", [False, True])
def test_overlay_bits_are_dropped_after_decoding(tmp_path, syntax, signed):
    """An overlay in bit 12, as old modalities put it there; in two's complement the sign is bit 11."""
    values = RAMP.astype(np.int32) - (2048 if signed else 0)
    overlay = (np.indices(RAMP.shape).sum(0) % 2) << 12
    cells = ((values & 0xFFF) | overlay).astype(np.uint16)
    kind = {"PixelRepresentation": 1} if signed else {}
    path = write_dicom(tmp_path / "a.dcm", cells, bits=16, **kind)
    if syntax:
        compressed(path, syntax)
    data = pydicom.dcmread(path)
    data.BitsStored, data.HighBit = 12, 11
    data.add_new((0x6000, 0x0100), "US", 16)
    data.add_new((0x6000, 0x0102), "US", 12)
    data.save_as(path)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels[0], X, atol=1e-6)
    assert picture.notes == ""


def test_bits_above_those_stored_without_an_overlay_are_said(tmp_path):
    cells = RAMP.copy()
    cells[0, :5] |= 0x3000
    picture = read_picture(write_dicom(tmp_path / "a.dcm", cells, bits=12))
    np.testing.assert_allclose(picture.pixels[0], X, atol=1e-6)
    assert picture.notes == "5 pixels have bits above the 12 that are said to be stored; these were dropped."


@pytest.mark.parametrize("ones", [True, False])
def test_negative_values_may_go_on_with_ones_or_zeros(tmp_path, ones):
    values = RAMP.astype(np.int16) - 2048
    stored = values if ones else values & 0xFFF
    picture = read_picture(write_dicom(tmp_path / "a.dcm", stored.astype(np.int16), bits=12))
    np.testing.assert_allclose(picture.pixels[0], X, atol=1e-6)
    assert picture.notes == ""


@pytest.mark.parametrize("high_bit", [7, 16])
def test_an_impossible_high_bit(tmp_path, high_bit):
    picture = read_picture(write_dicom(tmp_path / "a.dcm", RAMP, bits=12, HighBit=high_bit))
    np.testing.assert_allclose(picture.pixels[0], X, atol=1e-6)
    assert picture.notes == "HighBit contradicts BitsStored and BitsAllocated and was ignored."


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("signed", [False, True])
def test_compressed_pixels(tmp_path, syntax, signed):
    stored = RAMP.astype(np.int16) - 2048 if signed else RAMP
    path = compressed(write_dicom(tmp_path / "a.dcm", stored.astype(stored.dtype), bits=12), syntax)
    np.testing.assert_allclose(read_picture(path).pixels[0], X, atol=1e-6)


def test_32_bits(tmp_path):
    stored = (asymmetric(maximum=4095, dtype=np.uint32) << 20) | 0xFFFFF
    path = write_dicom(tmp_path / "a.dcm", stored, bits=16, BitsAllocated=32, BitsStored=32, HighBit=31)
    np.testing.assert_allclose(read_picture(path).pixels[0], stored / (2**32 - 1), atol=1e-6)


def test_one_bit(tmp_path):
    bits = asymmetric() > 100
    packed = np.packbits(bits.ravel(), bitorder="little")
    path = write_dicom(
        tmp_path / "a.dcm", bits.astype(np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed.tobytes()
    )
    np.testing.assert_array_equal(read_picture(path).pixels[0], bits)
    np.testing.assert_array_equal(read_mask(path).pixels[0], bits)


def test_more_pixels_than_one_frame(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.stack([RAMP] * 3), bits=12)
    with fails(
        f"The DICOM file {path} holds 3 times the pixels of its Rows and Columns: it has several frames, or "
        "BitsAllocated (16) is wrong. One picture per file is needed."
    ):
        read_picture(path)


def test_pixels_of_16_bits_that_are_said_to_have_8(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", RAMP, bits=16, BitsAllocated=8, BitsStored=8, HighBit=7)
    with fails(
        f"The DICOM file {path} holds 2 times the pixels of its Rows and Columns: it has several frames, or "
        "BitsAllocated (8) is wrong. One picture per file is needed."
    ):
        read_picture(path)


def test_three_rows_or_columns_are_no_color(tmp_path):
    stored = asymmetric((3, 40), maximum=4095, dtype=np.uint16)
    path = write_dicom(tmp_path / "a.dcm", stored, bits=12)
    np.testing.assert_allclose(read_picture(path).pixels[0], stored / 4095, atol=1e-6)


@pytest.mark.parametrize(("photometric", "read_as"), [("RGB", "MONOCHROME2"), ("YBR_FULL", "MONOCHROME2")])
def test_samples_per_pixel_decides_what_is_grey(tmp_path, photometric, read_as):
    picture = read_picture(write_dicom(tmp_path / "a.dcm", RAMP, bits=12, photometric=photometric))
    np.testing.assert_allclose(picture.pixels[0], X, atol=1e-6)
    assert picture.notes == (
        f"PhotometricInterpretation does not go with SamplesPerPixel; the picture was read as {read_as}."
    )


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME2"])
def test_color_of_either_configuration(tmp_path, planar, photometric):
    colors = np.stack([asymmetric(), asymmetric() // 2, 255 - asymmetric()], -1)
    path = write_dicom(tmp_path / "a.dcm", colors, photometric=photometric)
    if planar:
        data = pydicom.dcmread(path)
        data.PlanarConfiguration, data.PixelData = 1, colors.transpose(2, 0, 1).tobytes()
        data.save_as(path)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels, colors.transpose(2, 0, 1) / 255, atol=1e-6)
    assert bool(picture.notes) == (photometric != "RGB")


def test_ybr_becomes_rgb(tmp_path):
    """PS3.3 C.7.6.3.1.2: Y = .299 R + .587 G + .114 B; CB = -.1687 R - .3313 G + .5 B + 128; CR likewise."""
    rgb = np.stack([asymmetric(), asymmetric() // 2, 255 - asymmetric()], -1).astype(np.float64)
    matrix = np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    ybr = np.round(rgb @ matrix.T + [0, 128, 128]).clip(0, 255).astype(np.uint8)
    picture = read_picture(write_dicom(tmp_path / "a.dcm", ybr, photometric="YBR_FULL"))
    np.testing.assert_allclose(picture.pixels, rgb.transpose(2, 0, 1) / 255, atol=2 / 255)


@pytest.mark.parametrize("photometric", ["YBR_PARTIAL_420", "YBR_RCT"])
def test_colors_that_nobody_converts(tmp_path, photometric):
    path = write_dicom(tmp_path / "a.dcm", np.stack([asymmetric()] * 3, -1), photometric=photometric)
    with fails(f"The DICOM file {path} has colors as {photometric}, which cannot be read; save it as RGB."):
        read_picture(path)


def test_ybr_of_more_than_8_bits(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.stack([RAMP] * 3, -1), bits=12, photometric="YBR_FULL")
    with fails(f"The DICOM file {path} has colors as YBR_FULL of 12 bits, which cannot be read; save it as RGB."):
        read_picture(path)


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        (
            JPEGLosslessSV1,
            "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
        ),
        (JPEGExtended12Bit, "JPEG Extended (Process 2 and 4) with 12 bits"),
    ],
)
def test_codecs_that_are_not_installed(tmp_path, syntax, words):
    path = compressed(write_dicom(tmp_path / "a.dcm", RAMP, bits=12), RLELossless)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(path)
    with fails(
        f"The DICOM file {path} is compressed as {words}, which the installed packages cannot decode; run `pip install "
        "pylibjpeg-libjpeg` (GPL) or `pip install python-gdcm`, or save it uncompressed."
    ):
        read_picture(path)


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
        ("1.2.3.4.5", "1.2.3.4.5"),
    ],
)
def test_codecs_that_nobody_decodes(tmp_path, uid, name):
    path = compressed(write_dicom(tmp_path / "a.dcm", RAMP, bits=12), RLELossless)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = uid
    data.save_as(path)
    with fails(
        f"The DICOM file {path} is compressed as {name}, which no package for DICOM decodes; save it uncompressed."
    ):
        read_picture(path)


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point_pixels(tmp_path, keyword, dtype):
    path = write_dicom(tmp_path / "a.dcm", RAMP, bits=12)
    data = pydicom.dcmread(path)
    del data.PixelData
    setattr(data, keyword, X.astype(dtype).tobytes())
    data.save_as(path)
    with fails(
        f"The DICOM file {path} holds floating-point pixels, which have no range of grey levels; save it with whole "
        "numbers (PixelData)."
    ):
        read_picture(path)


@pytest.mark.parametrize("keyword", ["BitsStored", "PixelRepresentation", "PhotometricInterpretation", "PixelData"])
def test_an_element_is_missing(tmp_path, keyword):
    path = write_dicom(tmp_path / "a.dcm", RAMP, bits=12)
    data = pydicom.dcmread(path)
    del data[keyword]
    data.save_as(path)
    cut_off = "; a picture without pixels was cut off: copy it again" if keyword == "PixelData" else ""
    with fails(f"The file {path} cannot be read as a DICOM picture (it has no {keyword}){cut_off}."):
        read_picture(path)


@pytest.mark.parametrize("syntax", [None, RLELossless])
@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.1.30", "1.3.46.670589.11.0.0.12.1"])
def test_the_class_of_a_file_does_not_matter(tmp_path, syntax, uid):
    """A retired and a private SOP class."""
    path = write_dicom(tmp_path / "a.dcm", RAMP, bits=12, SOPClassUID=uid)
    if syntax:
        compressed(path, syntax)
    np.testing.assert_allclose(read_picture(path).pixels[0], X, atol=1e-6)


def test_masks_are_stored_values(tmp_path):
    """No window, no rescale, no table, no MONOCHROME1 has a part in a mask, and no bit above those stored."""
    mask = np.zeros((64, 64), np.uint16)
    mask[9:40, 9:30] = 1
    cells = mask | 0x1000
    path = write_dicom(
        tmp_path / "a.dcm",
        cells,
        bits=12,
        photometric="MONOCHROME1",
        RescaleSlope=2,
        RescaleIntercept=-1024,
        WindowCenter=2000,
        WindowWidth=100,
        VOILUTSequence=dicom_table([2, 0, 8], [1, 1]),
    )
    np.testing.assert_array_equal(read_mask(path).pixels[0], mask)


@pytest.mark.parametrize("value", [1, 255, 4095])
def test_masks_in_a_window_that_shows_nothing(tmp_path, value):
    mask = (asymmetric() > 100).astype(np.uint16) * value
    path = write_dicom(tmp_path / "a.dcm", mask, bits=12, WindowCenter=5000, WindowWidth=10)
    np.testing.assert_array_equal(read_mask(path).pixels[0], mask > 0)


def test_labels_in_a_window_that_merges_them(tmp_path):
    labels = np.zeros((8, 8), np.uint16)
    labels[:4], labels[4:6] = 1, 2
    path = write_dicom(tmp_path / "a.dcm", labels, bits=12, WindowCenter=0.5, WindowWidth=1)
    with fails(
        f"The mask {path} has 3 different values; a mask may have only 0 (background) and one other value (foreground)."
    ):
        read_mask(path)
