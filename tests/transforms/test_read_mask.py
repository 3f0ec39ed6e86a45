# SPDX-License-Identifier: Apache-2.0

"""Masks are stored values, whatever the file says of showing them."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import LoadImaged
from PIL import Image

from pipeline.transforms import PictureReader, read_mask
from pipeline.utils import InputError, find_input_error

from .files import fails, write_dicom, write_png_16

# 651 pixels
FOREGROUND = np.zeros((64, 64), bool)
FOREGROUND[9:40, 9:30] = True
MASK = FOREGROUND.astype(np.uint8) * 255
EMPTY = np.zeros_like(MASK)
UPRIGHT = np.diag([-1.0, -1, 1, 1])


def save(path, pixels, mode=None, **options):
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def save_palette(path, indices, colors, **options):
    image = Image.fromarray(np.asarray(indices, np.uint8))
    image.putpalette([level for color in colors for level in color])
    image.save(path, **options)
    return path


def nifti(path, values, dtype=np.int16, slope=None, intercept=0, cal=(0, 0)):
    """A NIfTI file of stored values, upright in rows and columns, with a header as it is given."""
    image = nib.Nifti1Image(np.asarray(values, dtype).T[:, :, None], UPRIGHT)
    image.header["cal_min"], image.header["cal_max"] = cal
    nib.save(image, path)
    content = bytearray(path.read_bytes())
    if slope is not None:
        content[112:120] = np.array([slope, intercept], "<f4").tobytes()
        path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda f: save(f / "a.png", np.dstack([MASK, MASK, MASK, EMPTY])),
        lambda f: save(f / "a.png", np.dstack([MASK, EMPTY])),
        lambda f: save(f / "a.png", np.dstack([MASK, MASK, MASK, np.full_like(MASK, 7)])),
        lambda f: save(f / "a.png", MASK, transparency=255),
        lambda f: save(f / "a.png", MASK, "RGB", transparency=(255, 255, 255)),
        lambda f: save(f / "a.png", FOREGROUND),
        lambda f: save(f / "a.png", FOREGROUND, transparency=1),
        lambda f: save(f / "a.png", FOREGROUND.astype(np.uint16)),
        lambda f: save(f / "a.png", FOREGROUND.astype(np.uint16) * 65535),
        lambda f: save(f / "a.gif", MASK, transparency=255),
        lambda f: save_palette(f / "a.gif", FOREGROUND, [(0, 0, 0), (255, 255, 255)], transparency=1),
        # grey palettes count by their grey, also the other way round
        lambda f: save_palette(f / "a.png", ~FOREGROUND, [(255, 255, 255), (0, 0, 0)]),
        lambda f: save_palette(f / "a.png", FOREGROUND, [(0, 0, 0), (1, 1, 1), (9, 0, 0)]),
        # palettes of labels count by their index
        lambda f: save_palette(f / "a.png", FOREGROUND, [(0, 0, 0), (128, 0, 0)]),
        lambda f: save_palette(f / "a.png", FOREGROUND * 2, [(0, 0, 0), (128, 0, 0), (0, 128, 0)]),
        lambda f: save_palette(f / "a.png", FOREGROUND, [(0, 0, 0), (128, 0, 0)], transparency=bytes([255, 0])),
        lambda f: nifti(f / "a.nii", FOREGROUND, cal=(1, 2)),
        lambda f: nifti(f / "a.nii", FOREGROUND * 7, cal=(-5, 100)),
        lambda f: nifti(f / "a.nii.gz", FOREGROUND, np.float32),
        lambda f: nifti(f / "a.nii", FOREGROUND, np.int8),
        # real values count: here 0 is stored as 3, and 1 as 4, or with an error of rounding
        lambda f: nifti(f / "a.nii", FOREGROUND + 3, slope=1, intercept=-3),
        lambda f: nifti(f / "a.nii", FOREGROUND * 255 + 10, slope=1 / 255, intercept=-10 / 255),
        lambda f: nifti(f / "a.nii", ~FOREGROUND, slope=-1, intercept=1),
        lambda f: write_dicom(f / "a.dcm", MASK, photometric="MONOCHROME1"),
        lambda f: write_dicom(f / "a.dcm", np.stack([MASK] * 3, -1), photometric="RGB"),
    ],
)
def test_the_foreground_is_what_is_stored(tmp_path, make):
    path = make(tmp_path)
    picture = read_mask(path)
    assert picture.pixels.dtype == np.float32
    np.testing.assert_array_equal(picture.pixels, FOREGROUND[None])
    loaded = LoadImaged("label", reader=PictureReader(mask=True))({"label": path})["label"]
    assert int(loaded.sum()) == 651


@pytest.mark.parametrize("value", [0, 1, -1, 255, 4095])
def test_a_mask_of_one_value(tmp_path, value):
    """A full mask is full, and not the least of its values."""
    path = nifti(tmp_path / "a.nii", np.full((64, 64), value))
    assert read_mask(path).pixels.sum() == (4096 if value else 0)


@pytest.mark.parametrize("alpha", [MASK, 255 - MASK])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_mask_may_be_in_the_alpha_channel(tmp_path, alpha, channels):
    path = save(tmp_path / "a.png", np.dstack([MASK] * channels + [alpha]))
    with fails(
        f"The mask {path} has an alpha channel that is not constant, and nothing says whether it is the mask; save it "
        "as grey, without alpha."
    ):
        read_mask(path)


@pytest.mark.parametrize(
    ("indices", "colors"),
    [
        # a label 0 that is not black, a label that is, and labels that all look the same
        (FOREGROUND, [(128, 0, 0), (0, 0, 0)]),
        (FOREGROUND, [(0, 128, 0), (128, 0, 0)]),
        (FOREGROUND * 2, [(1, 2, 3), (0, 0, 0), (0, 0, 0)]),
        (FOREGROUND, [(0, 0, 0), (0, 0, 0)]),
        (FOREGROUND, [(9, 9, 9), (9, 9, 9)]),
    ],
)
def test_a_palette_that_contradicts_its_indices(tmp_path, indices, colors):
    path = save_palette(tmp_path / "a.png", indices, colors)
    with fails(
        f"The mask {path} has a palette that tells another foreground than its stored indices do; save it as grey (0 "
        "for the background)."
    ):
        read_mask(path)


LABELS = FOREGROUND.astype(np.uint8)
LABELS = LABELS + np.roll(LABELS, 30, 1) * 2


@pytest.mark.parametrize(
    "make",
    [
        lambda f: nifti(f / "a.nii", LABELS, cal=(0, 1)),
        lambda f: nifti(f / "a.nii", LABELS, np.uint8, cal=(0, 1)),
        lambda f: save(f / "a.png", LABELS),
        lambda f: save_palette(f / "a.png", LABELS, [(0, 0, 0), (128, 0, 0), (0, 128, 0)]),
        lambda f: write_dicom(f / "a.dcm", LABELS, WindowCenter=0, WindowWidth=1),
    ],
)
def test_labels_do_not_merge(tmp_path, make):
    path = make(tmp_path)
    assert len(np.unique(LABELS)) == 3
    message = (
        f"The mask {path} has 3 different values; a mask may have only 0 (background) and one other value (foreground)."
    )
    with fails(message):
        read_mask(path)
    with pytest.raises((InputError, RuntimeError)) as caught:
        LoadImaged("label", reader=PictureReader(mask=True))({"label": path})
    assert str(find_input_error(caught.value)) == message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(tmp_path, value):
    values = FOREGROUND.astype(np.float32)
    values[0, :3] = value
    path = nifti(tmp_path / "a.nii", values, np.float32)
    with fails(f"The mask {path} has 3 pixels that are NaN or infinite."):
        read_mask(path)


@pytest.mark.parametrize("ending", ["png", "dcm"])
def test_colored_masks(tmp_path, ending):
    colors = np.dstack([MASK, EMPTY, EMPTY])
    path = tmp_path / f"a.{ending}"
    if ending == "png":
        save(path, colors)
    else:
        write_dicom(path, colors, photometric="RGB")
    with fails(f"The mask {path} is colored, but a grey mask is needed (one channel, or three equal ones)."):
        read_mask(path)


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_the_value_1_of_16_bits_is_not_cut_to_0(tmp_path, color_type, channels):
    path = write_png_16(tmp_path / "a.png", np.repeat(FOREGROUND[..., None], channels, 2).astype(np.uint16), color_type)
    with pytest.raises(InputError, match="16 bits per channel with color or transparency, which would be cut to 8"):
        read_mask(path)


def test_a_mask_turned_by_its_orientation(tmp_path):
    image = Image.fromarray(np.rot90(MASK))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    picture = read_mask(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.pixels[0], FOREGROUND)
    assert picture.exif_orientation == 6


@pytest.mark.parametrize(("slope", "intercept"), [(3, 1), (4, 1), (100, 40), (0.5, 0.2)])
def test_a_full_nifti_mask_whose_only_value_is_the_intercept(tmp_path, slope, intercept):
    image = nib.Nifti1Image(np.zeros((64, 64, 1), np.int16), UPRIGHT)
    image.header.set_slope_inter(slope, intercept)
    nib.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(content)
    assert read_mask(tmp_path / "a.nii").pixels.sum() == 4096


def test_a_mask_as_jpeg_is_told_from_one_with_more_classes(tmp_path):
    path = save(tmp_path / "a.JPG", MASK)
    with Image.open(path) as image:
        values = len(np.unique(np.asarray(image)))
    assert values > 2
    with fails(
        f"The mask {path} has {values} different values; a mask may have only 0 (background) and one other value "
        "(foreground); JPEG makes others of these: save it as PNG."
    ):
        read_mask(path)
