# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct

import nibabel as nib
import numpy as np
import pytest

from pipeline.transforms import read_mask, read_picture
from pipeline.utils import InputError

from .files import fails

UPRIGHT = np.diag([-1.0, -1, 1, 1])
RAMP = np.arange(200, dtype=np.float64).reshape(10, 20)


def write(path, values, dtype, scale=(None, 0), cal=(0, 0), sizes=(1, 1, 1), sform=True):
    """A file of stored values (rows, columns), upright, with a header as it is given."""
    image = nib.Nifti1Image(np.asarray(values, dtype).T[:, :, None], UPRIGHT)
    image.header["cal_min"], image.header["cal_max"] = cal
    if not sform:
        image.set_sform(None, 0)
        image.set_qform(UPRIGHT, 1)
    nib.save(image, path)
    content = bytearray(path.read_bytes())
    content[80:92] = struct.pack("<3f", *sizes)
    if scale[0] is not None:
        content[112:120] = struct.pack("<2f", *scale)
    path.write_bytes(content)
    return path


SPREAD = "The header has no display window; the least value, {}, was taken as black and the greatest, {}, as white."


@pytest.mark.parametrize(
    ("values", "dtype", "scale", "cal", "expected", "notes"),
    [
        (RAMP, np.uint8, (None, 0), (0, 0), RAMP / 255, ""),
        (RAMP, np.uint8, (1, 0), (0, 0), RAMP / 255, ""),
        # 8 bits keep their range in whatever unit they are, also where it is turned round
        (RAMP, np.uint8, (2, 0), (0, 0), RAMP / 255, ""),
        (RAMP, np.uint8, (2, -100), (0, 0), RAMP / 255, ""),
        (RAMP, np.uint8, (-1, 255), (0, 0), 1 - RAMP / 255, ""),
        (RAMP, np.uint8, (1 / 255, 0), (0, 0), RAMP / 255, ""),
        (RAMP, np.uint8, (1 / 400, 0), (0, 0), RAMP / 400, ""),
        (RAMP, np.uint8, (10, 0), (0, 1000), np.clip(RAMP / 100, 0, 1), ""),
        (RAMP, np.int16, (2, 5), (0, 0), RAMP / 199, SPREAD.format(5, 403)),
        (RAMP, np.int16, (2, 5), (5, 205), np.clip(RAMP / 100, 0, 1), ""),
        (RAMP, np.int16, (1 / 199, 0), (0, 0), RAMP / 199, ""),
        (RAMP * 20, np.uint16, (None, 0), (0, 4095), RAMP * 20 / 4095, ""),
        (RAMP / 199 - 0.5, np.float32, (None, 0), (0, 0), RAMP / 199, SPREAD.format(-0.5, 0.5)),
        (RAMP / 199, np.float64, (None, 0), (0, 0), RAMP / 199, ""),
    ],
)
def test_values(tmp_path, values, dtype, scale, cal, expected, notes):
    picture = read_picture(write(tmp_path / "a.nii", values, dtype, scale, cal))
    np.testing.assert_allclose(picture.pixels[0], expected, atol=1e-5)
    assert picture.notes == notes


@pytest.mark.parametrize(
    ("cal", "color", "share"), [((0, 50), "white", 74), ((0, 98), "white", 50), ((150, 199), "black", 75)]
)
def test_a_window_that_leaves_little(tmp_path, cal, color, share):
    picture = read_picture(write(tmp_path / "a.nii", RAMP, np.int16, cal=cal))
    lost = np.mean(cal[1] < RAMP) if color == "white" else np.mean(cal[0] > RAMP)
    assert np.isclose(lost, share / 100, atol=0.01) and lost > 0.5
    assert picture.notes == f"The display window of the file makes {lost:.0%} of the picture {color}."


def test_a_window_that_cuts_half_is_not_remarked_on(tmp_path):
    assert read_picture(write(tmp_path / "a.nii", RAMP, np.int16, cal=(0, 99))).notes == ""


@pytest.mark.parametrize("cal", [(5, 5), (100, 0), (0, np.inf), (0, np.nan), (-np.inf, 100)])
def test_a_window_that_is_none(tmp_path, cal):
    picture = read_picture(write(tmp_path / "a.nii", RAMP, np.int16, cal=cal))
    np.testing.assert_allclose(picture.pixels[0], RAMP / 199, atol=1e-6)
    assert picture.notes == (
        f"The header's display window (cal_min, cal_max) is not valid and was ignored. {SPREAD.format(0, 199)}"
    )


@pytest.mark.parametrize("read", [read_picture, read_mask])
def test_colors(tmp_path, read):
    colors = np.zeros((4, 5, 1), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colors, UPRIGHT), tmp_path / "a.nii")
    message = f"The NIfTI file {tmp_path}/a.nii holds colors (R, G, B), and NIfTI is read as grey only; save it as PNG."
    with fails(message):
        read(tmp_path / "a.nii")


def test_another_kind_of_file_with_the_ending(tmp_path):
    axes = (nib.cifti2.ScalarAxis(["a", "b"]), nib.cifti2.ScalarAxis(["c"]))
    nib.save(nib.Cifti2Image(np.zeros((2, 1)), axes), tmp_path / "a.dscalar.nii")
    message = f"The file {tmp_path}/a.dscalar.nii is not a NIfTI picture but a Cifti2Image."
    with fails(message):
        read_picture(tmp_path / "a.dscalar.nii")


def test_complex_values(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((4, 5, 1), np.complex64), UPRIGHT), tmp_path / "a.nii")
    with pytest.raises(InputError, match="holds complex64 values; one grey value per pixel is needed"):
        read_picture(tmp_path / "a.nii")


MENDED = "The header's sizes of a pixel (pixdim) are not all positive numbers; 1 mm was assumed for them."


@pytest.mark.parametrize(
    ("sizes", "spacing"),
    [
        ((0.5, 0.25, 1), (0.25, 0.5)),
        ((0, 0.25, 1), (0.25, 1)),
        ((0.5, 0, 1), (1, 0.5)),
        ((np.nan, 0.25, 1), (0.25, 1)),
        ((0.5, np.inf, 1), (1, 0.5)),
        ((-2, 0.25, 1), (0.25, 1)),
    ],
)
def test_sizes_of_a_pixel(tmp_path, sizes, spacing):
    picture = read_picture(write(tmp_path / "a.nii", RAMP, np.uint8, sizes=sizes, sform=False))
    np.testing.assert_allclose(picture.spacing, spacing)
    assert np.isfinite(picture.original_affine).all()
    good = all(np.isfinite(sizes)) and min(sizes) > 0
    assert picture.notes == ("" if good else MENDED)


def test_sizes_beside_an_sform_do_not_count(tmp_path):
    picture = read_picture(write(tmp_path / "a.nii", RAMP, np.uint8, sizes=(0, np.nan, 1)))
    assert (picture.spacing, picture.notes) == ((1, 1), "")


def test_the_third_size_of_a_flat_picture_means_nothing(tmp_path):
    image = nib.Nifti1Image(RAMP.astype(np.uint8).T, UPRIGHT)
    image.set_sform(None, 0)
    image.set_qform(UPRIGHT, 1)
    nib.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[80:92] = struct.pack("<3f", 0.5, 0.25, 0)
    (tmp_path / "a.nii").write_bytes(content)
    picture = read_picture(tmp_path / "a.nii")
    assert (picture.spacing, picture.notes) == ((0.25, 0.5), "")


def test_the_1_mm_that_is_assumed_is_no_micrometre(tmp_path):
    content = bytearray(write(tmp_path / "a.nii", RAMP, np.uint8, sizes=(0, 250, 1), sform=False).read_bytes())
    content[123] = 3  # xyzt_units: micrometres
    (tmp_path / "a.nii").write_bytes(content)
    picture = read_picture(tmp_path / "a.nii")
    assert picture.spacing == pytest.approx((0.25, 1)) and picture.notes == MENDED
    np.testing.assert_allclose(np.linalg.norm(picture.original_affine[:3, :2], axis=0), (1, 0.25))


@pytest.mark.parametrize(("unit", "mm"), [("meter", 1000), ("micron", 0.001), ("mm", 1), ("unknown", 1)])
@pytest.mark.parametrize("sform", [True, False])
def test_lengths_are_in_mm_whatever_the_unit_of_the_header(tmp_path, unit, mm, sform):
    path = write(tmp_path / "a.nii", RAMP, np.uint8, sizes=(0.25, 0.5, 1), sform=sform)
    image = nib.load(path)
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "b.nii")
    picture = read_picture(tmp_path / "b.nii")
    np.testing.assert_allclose(picture.spacing, np.array([1, 1] if sform else [0.5, 0.25]) * mm)
    np.testing.assert_allclose(picture.original_affine[:3], image.affine[:3] * mm)
    assert picture.notes == ""
