# SPDX-License-Identifier: Apache-2.0

"""Values against the formulas of DICOM PS3.3 C.11.1, C.11.2 and C.7.6.3, in float64."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.transforms import read_picture
from pipeline.utils import InputError

from .files import dicom_table, replace_text, write_dicom

# 0 to 4095, brighter to the right
RAMP = (np.arange(64)[None] * np.ones((64, 1)) * 65).astype(np.uint16)
X = RAMP.astype(np.float64)


def levels(folder, pixels=RAMP, bits=12, **elements):
    picture = read_picture(write_dicom(folder / "a.dcm", pixels, bits=bits, **elements))
    assert len(picture.pixels) == 1
    return picture.pixels[0], picture.notes


def linear(x, center, width):
    return np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"RescaleIntercept": -1024, "WindowCenter": 1024, "WindowWidth": 4096}, linear(X - 1024, 1024, 4096)),
        ({"RescaleSlope": 16}, X / 4095),
        ({"RescaleIntercept": -1024}, X / 4095),
        ({"RescaleSlope": 2, "WindowCenter": 4000, "WindowWidth": 1000}, linear(2 * X, 4000, 1000)),
        ({"RescaleSlope": -1}, 1 - X / 4095),
        ({"WindowCenter": [2000, 5], "WindowWidth": [400, 5]}, linear(X, 2000, 400)),
        # a width of 1 is a threshold at center - 0.5
        ({"WindowCenter": 2080.5, "WindowWidth": 1}, X > 2080),
        ({"WindowCenter": 2080.4, "WindowWidth": 1}, X >= 2080),
        (
            {"WindowCenter": 2000, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"},
            np.clip((X - 2000) / 400 + 0.5, 0, 1),
        ),
        (
            {"WindowCenter": 2080, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"},
            np.clip((X - 2080) / 0.5 + 0.5, 0, 1),
        ),
        (
            {"WindowCenter": 2000, "WindowWidth": 400, "VOILUTFunction": "SIGMOID"},
            1 / (1 + np.exp(-4 * (X - 2000) / 400)),
        ),
        ({"WindowCenter": 2000, "WindowWidth": 1, "VOILUTFunction": "SIGMOID"}, X > 2000),
    ],
)
def test_rescale_and_window(tmp_path, elements, expected):
    pixels, notes = levels(tmp_path, **elements)
    np.testing.assert_allclose(pixels, expected, atol=1e-6)
    assert notes == ""


I12 = np.arange(4096)


@pytest.mark.parametrize(
    ("descriptor", "data", "expected"),
    [
        ([4096, 0, 8], I12 >> 4, (RAMP >> 4) / 255),
        ([4096, 0, 12], 4095 - I12, 1 - X / 4095),
        ([4096, 0, 16], I12 * 16, X * 16 / 65535),
        # what lies outside of the table gets its ends
        ([256, 1000, 8], np.arange(256), np.clip(X - 1000, 0, 255) / 255),
        ([256, 4000, 8], 255 - np.arange(256), 1 - np.clip(X - 4000, 0, 255) / 255),
        # 8-bit entries, two in a word, as bytes and as numbers
        ([4096, 0, 8], (I12 >> 4).astype(np.uint8).tobytes(), (RAMP >> 4) / 255),
        ([4096, 0, 8], np.frombuffer((I12 >> 4).astype(np.uint8).tobytes(), "<u2"), (RAMP >> 4) / 255),
        ([255, 0, 8], np.arange(1, 256, dtype=np.uint8).tobytes() + b"\0", np.clip(X + 1, 1, 255) / 255),
        # 16-bit words as bytes; 0 entries are 65536
        ([4096, 0, 12], I12.astype("<u2").tobytes(), X / 4095),
        ([0, 0, 16], np.arange(65536, dtype="<u2").tobytes(), X / 65535),
        # one entry for everything
        ([1, 0, 8], [200], np.full_like(X, 200 / 255)),
    ],
)
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_tables(tmp_path, descriptor, data, expected, keyword):
    data = data if isinstance(data, bytes) else [int(entry) for entry in data]
    pixels, _ = levels(tmp_path, **{keyword: dicom_table(descriptor, data)})
    np.testing.assert_allclose(pixels, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("descriptor", "entries", "white", "said"),
    [([4096, 0, 16], I12, 4095, 16), ([4096, 0, 8], I12, 4095, 8), ([4096, 0, 8], (I12 >> 4) << 8, 65280, 8)],
)
def test_a_table_whose_bits_are_not_those_of_its_entries(tmp_path, descriptor, entries, white, said):
    pixels, notes = levels(tmp_path, VOILUTSequence=dicom_table(descriptor, entries.tolist()))
    np.testing.assert_allclose(pixels, entries[RAMP] / white, atol=1e-6)
    assert notes == (
        f"A lookup table is said to have {said} bits, but its greatest entry is {white}, which was taken as white."
    )


def test_a_voi_table_of_negative_values(tmp_path):
    """The value of the first entry is signed where the modality's output is (C.11.2.1.1), in US too."""
    for first in (-1024, 2**16 - 1024):
        table = dicom_table([4096, first, 12], (4095 - I12).tolist())
        pixels, _ = levels(tmp_path, RescaleIntercept=-1024, VOILUTSequence=table)
        np.testing.assert_allclose(pixels, 1 - X / 4095, atol=1e-6)


def test_a_modality_table_of_signed_values(tmp_path):
    signed = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    table = dicom_table([4096, 2**16 - 2048, 12], I12.tolist())
    pixels, _ = levels(tmp_path, signed, ModalityLUTSequence=table)
    np.testing.assert_allclose(pixels, X / 4095, atol=1e-6)


def test_a_first_value_above_32767_of_unsigned_pixels(tmp_path):
    stored = (RAMP + 40000).astype(np.uint16)
    pixels, _ = levels(tmp_path, stored, bits=16, VOILUTSequence=dicom_table([4096, 40000, 12], I12.tolist()))
    np.testing.assert_allclose(pixels, X / 4095, atol=1e-6)


def test_modality_table_then_window(tmp_path):
    table = dicom_table([4096, 0, 12], (4095 - I12).tolist())
    pixels, notes = levels(
        tmp_path, ModalityLUTSequence=table, RescaleSlope=3, RescaleIntercept=7, WindowCenter=1000, WindowWidth=500
    )
    np.testing.assert_allclose(pixels, linear(4095 - X, 1000, 500), atol=1e-6)
    assert "There is a modality LUT beside slope and intercept, which were ignored." in notes


@pytest.mark.parametrize("data", [None, b""])
@pytest.mark.parametrize("beside", [True, False])
def test_a_table_without_data_is_none(tmp_path, data, beside):
    window = {"WindowCenter": 2000, "WindowWidth": 400} if beside else {}
    pixels, _ = levels(tmp_path, VOILUTSequence=dicom_table([4096, 0, 8], data), **window)
    np.testing.assert_allclose(pixels, linear(X, 2000, 400) if beside else X / 4095, atol=1e-6)


def test_a_table_comes_before_a_window(tmp_path):
    table = dicom_table([4096, 0, 12], (4095 - I12).tolist())
    pixels, _ = levels(tmp_path, VOILUTSequence=table, WindowCenter=2000, WindowWidth=400)
    np.testing.assert_allclose(pixels, 1 - X / 4095, atol=1e-6)


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 2000},
        {"WindowWidth": 400},
        {"WindowCenter": 2000, "WindowWidth": ""},
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": 2000, "WindowWidth": 0.5},
        {"WindowCenter": 2000, "WindowWidth": -400},
        {"WindowCenter": 2000, "WindowWidth": 0, "VOILUTFunction": "LINEAR_EXACT"},
    ],
)
def test_half_a_window_is_said_and_ignored(tmp_path, elements):
    pixels, notes = levels(tmp_path, **elements)
    np.testing.assert_allclose(pixels, X / 4095, atol=1e-6)
    assert notes == "WindowCenter and WindowWidth are not a usable window and were ignored."


@pytest.mark.parametrize("text", [b"N/A", b"2000,5", b"nan", b"inf"])
def test_a_window_that_is_no_number_is_said_and_ignored(tmp_path, text):
    path = write_dicom(tmp_path / "a.dcm", RAMP, bits=12, WindowCenter="2000.125", WindowWidth=400)
    picture = read_picture(replace_text(path, b"2000.125", text))
    np.testing.assert_allclose(picture.pixels[0], X / 4095, atol=1e-6)
    assert picture.notes == "WindowCenter and WindowWidth are not a usable window and were ignored."


@pytest.mark.parametrize(("keyword", "taken"), [("RescaleSlope", 1), ("RescaleIntercept", 0)])
def test_a_rescale_that_is_no_number(tmp_path, keyword, taken):
    window = {"WindowCenter": 2000, "WindowWidth": 400}
    path = write_dicom(tmp_path / "a.dcm", RAMP, bits=12, **{keyword: "20.12500"}, **window)
    picture = read_picture(replace_text(path, b"20.12500", b"20,125"))
    np.testing.assert_allclose(picture.pixels[0], linear(X, 2000, 400), atol=1e-6)
    assert picture.notes == f"{keyword} is not a usable number and was taken as {taken}."


def test_a_slope_of_zero(tmp_path):
    pixels, notes = levels(tmp_path, RescaleSlope=0, RescaleIntercept=5)
    np.testing.assert_allclose(pixels, X / 4095, atol=1e-6)
    assert notes == "RescaleSlope is not a usable number and was taken as 1."


def test_an_unknown_function(tmp_path):
    pixels, notes = levels(tmp_path, WindowCenter=2000, WindowWidth=400, VOILUTFunction="CUBIC")
    np.testing.assert_allclose(pixels, linear(X, 2000, 400), atol=1e-6)
    assert notes == "VOILUTFunction is not one of DICOM's and was taken as LINEAR."


@pytest.mark.parametrize(
    ("photometric", "shape", "contradiction"),
    [
        ("MONOCHROME1", "INVERSE", False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", True),
    ],
)
def test_presentation_shape(tmp_path, photometric, shape, contradiction):
    pixels, notes = levels(tmp_path, photometric=photometric, PresentationLUTShape=shape)
    np.testing.assert_allclose(pixels, X / 4095 if photometric == "MONOCHROME2" else 1 - X / 4095, atol=1e-6)
    assert notes == (f"PresentationLUTShape contradicts {photometric}, which was followed." if contradiction else "")


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_table_is_inverted_for_monochrome1(tmp_path, photometric):
    pixels, _ = levels(tmp_path, photometric=photometric, VOILUTSequence=dicom_table([4096, 0, 12], I12.tolist()))
    np.testing.assert_allclose(pixels, X / 4095 if photometric == "MONOCHROME2" else 1 - X / 4095, atol=1e-6)


@pytest.mark.parametrize(("center", "color", "share"), [(10, "white", 98), (4000, "black", 95)])
def test_a_window_that_leaves_little(tmp_path, center, color, share):
    _, notes = levels(tmp_path, WindowCenter=center, WindowWidth=100)
    # of the 64 columns, those beyond 59.5 (center 10) and below 3950 (center 4000)
    columns = np.count_nonzero(X[0] > 59.5) if color == "white" else np.count_nonzero(X[0] < 3950)
    assert round(columns / 64 * 100) == share
    assert notes == f"The display window of the file makes {share}% of the picture {color}."


def test_a_picture_that_uses_little_of_its_range(tmp_path):
    _, notes = levels(tmp_path, RAMP, bits=16)
    assert (
        notes
        == "The picture uses only 0.062 of its range of grey levels, from 0 to 0.0625, where 0 is black and 1 is white."
    )
    _, notes = levels(tmp_path, np.full_like(RAMP, 7))
    assert notes == "All pixels of the picture have the same value."


@pytest.mark.parametrize("length", [255, 200])
def test_a_table_with_too_few_entries_goes_on_with_its_last(tmp_path, length):
    table = dicom_table([256, 0, 8], list(range(length)))
    shown, notes = levels(tmp_path, RAMP // 16, VOILUTSequence=table)
    np.testing.assert_allclose(shown, np.minimum(RAMP // 16, length - 1) / 255, atol=1e-6)
    assert notes.startswith(f"A lookup table has only {length} of its 256 entries")


@pytest.mark.parametrize("top", [8191, 8192, 16383, 65535])
def test_a_modality_table_of_16_bits_has_the_range_that_it_holds(tmp_path, top):
    """PS3.3 C.11.1.1.1 allows 8 and 16 as the bits of its entries."""
    entries = np.linspace(0, top, 4096).astype(int)
    shown, notes = levels(tmp_path, ModalityLUTSequence=dicom_table([4096, 0, 16], entries.tolist()))
    np.testing.assert_allclose(shown, entries[RAMP] / (2 ** int(top).bit_length() - 1), atol=1e-6)
    assert notes == ""


def test_the_first_usable_of_several_windows(tmp_path):
    shown, notes = levels(tmp_path, WindowCenter=[2000, 2048], WindowWidth=[0, 1000])
    np.testing.assert_allclose(shown, linear(X, 2048, 1000), atol=1e-6)
    assert "window" not in notes.replace("display window", "")


def test_what_an_enhanced_object_says_in_its_functional_groups(tmp_path):
    voi, rescale, measures, group = Dataset(), Dataset(), Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = 3000, 2000
    rescale.RescaleSlope, rescale.RescaleIntercept = 2, -10
    measures.PixelSpacing = [0.4, 0.3]
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = [voi], [rescale]
    group.PixelMeasuresSequence = [measures]
    path = write_dicom(tmp_path / "a.dcm", RAMP, bits=12, SharedFunctionalGroupsSequence=[group], NumberOfFrames=1)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels[0], linear(2 * X - 10, 3000, 2000), atol=1e-6)
    assert picture.spacing == (0.4, 0.3)


def test_values_beyond_all_numbers_are_refused(tmp_path):
    with pytest.raises(InputError, match="pixels that are NaN or infinite"):
        levels(tmp_path, RescaleSlope="1e308")
