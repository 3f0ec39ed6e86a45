# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itertools
import re
import warnings

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from monai.data import DataLoader, Dataset, decollate_batch
from monai.transforms import Compose, LoadImaged
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from pipeline.transforms import PictureReader, read_picture, to_original_orientation
from pipeline.utils import InputError, find_input_error

from .files import asymmetric, fails, write_dicom, write_nifti, write_png_16

PICTURE = asymmetric()


def save_png(path, pixels, mode=None, **options):
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def raster(folder, kind):
    if kind == "grey":
        return save_png(folder / "a.png", PICTURE)
    if kind == "rgb":
        return save_png(folder / "a.png", PICTURE, "RGB")
    if kind == "palette":
        image = Image.fromarray(255 - PICTURE)
        image.putpalette([level for entry in range(256) for level in [255 - entry] * 3])
        image.save(folder / "a.PNG")
        return folder / "a.PNG"
    if kind == "grey and alpha":
        return save_png(folder / "a.png", np.stack([PICTURE, np.full_like(PICTURE, 255)], -1))
    if kind == "rgba":
        return save_png(folder / "a.png", np.stack([PICTURE] * 3 + [np.full_like(PICTURE, 255)], -1))
    if kind == "gif":
        return save_png(folder / "a.gif", PICTURE)
    assert kind == "exif"
    turned = Image.fromarray(np.rot90(PICTURE))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be shown turned clockwise by a quarter
    turned.save(folder / "a.png", exif=exif)
    return folder / "a.png"


@pytest.mark.parametrize("kind", ["grey", "rgb", "palette", "grey and alpha", "rgba", "gif", "exif"])
def test_8_bit_files_are_the_stored_level_over_255(tmp_path, kind):
    pixels = read_picture(raster(tmp_path, kind), channels=1).pixels
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, PICTURE[None].astype(np.float32) / 255)


def test_jpeg_is_upright(tmp_path):
    path = save_png(tmp_path / "a.jpg", PICTURE, quality=98)
    assert np.abs(read_picture(path).pixels[0] - PICTURE / 255).max() < 4 / 255


def test_16_bit_png_keeps_all_levels(tmp_path):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = read_picture(save_png(tmp_path / "a.png", levels)).pixels[0]
    np.testing.assert_array_equal(np.round(pixels.astype(np.float64) * 65535), levels)


def test_1_bit_png(tmp_path):
    bits = PICTURE > 100
    np.testing.assert_array_equal(read_picture(save_png(tmp_path / "a.png", bits)).pixels[0], bits)


def test_transparent_grey_level(tmp_path):
    path = save_png(tmp_path / "a.png", np.array([[200, 100], [51, 255]], np.uint8), transparency=200)
    np.testing.assert_allclose(read_picture(path).pixels[0], [[0, 100 / 255], [0.2, 1]], rtol=1e-6)


def test_transparency_lies_over_black(tmp_path):
    path = save_png(tmp_path / "a.png", np.full((2, 3, 4), (200, 200, 200, 51), dtype=np.uint8))
    np.testing.assert_allclose(read_picture(path).pixels, np.full((1, 2, 3), 200 / 255 / 5), rtol=1e-6)


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_per_color_channel_are_not_cut_silently(tmp_path, color_type, channels):
    path = write_png_16(tmp_path / "a.png", np.full((4, 5, channels), 1000, dtype=np.uint16), color_type)
    with fails(
        f"The file {path} holds 16 bits per channel with color or transparency, which would be cut to 8 bits; convert "
        "it to 16-bit grey."
    ):
        read_picture(path)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless])
@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (10, np.uint16), (12, np.uint16), (16, np.uint16)])
def test_dicom_without_window_spans_its_stored_bits(tmp_path, bits, dtype, syntax):
    stored = asymmetric(maximum=2**bits - 1, dtype=dtype)
    path = write_dicom(tmp_path / "a.dcm", stored, bits=bits, syntax=syntax)
    np.testing.assert_allclose(read_picture(path).pixels[0], stored / (2**bits - 1), atol=1e-7)


def test_dicom_jpeg_baseline(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", PICTURE, syntax=JPEGBaseline8Bit)
    assert np.abs(read_picture(path).pixels[0] - PICTURE / 255).max() < 4 / 255


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_grey_dicom_in_three_channels(tmp_path, photometric):
    neutral = np.full_like(PICTURE, 128)
    channels = [PICTURE] * 3 if photometric == "RGB" else [PICTURE, neutral, neutral]
    path = write_dicom(tmp_path / "a.dcm", np.stack(channels, -1), photometric=photometric)
    np.testing.assert_array_equal(read_picture(path, channels=1).pixels[0], PICTURE.astype(np.float32) / 255)


@pytest.mark.parametrize("grey", [True, False])
def test_palette_dicom(tmp_path, grey):
    elements = {}
    for number, name in enumerate(["Red", "Green", "Blue"]):
        entries = 65535 - 257 * np.arange(256) * (1 if grey or number == 0 else 0)
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{name}PaletteColorLookupTableData"] = entries.astype("<u2").tobytes()
    path = write_dicom(tmp_path / "a.dcm", PICTURE, photometric="PALETTE COLOR", **elements)
    pixels = read_picture(path).pixels
    assert len(pixels) == (1 if grey else 3)
    np.testing.assert_allclose(pixels[0], 1 - PICTURE / 255, atol=1e-7)


@pytest.mark.parametrize(
    ("elements", "spacing"),
    [({}, (1, 1)), ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1)), ({"PixelSpacing": [0.3, 0.4]}, (0.3, 0.4))],
)
def test_dicom_spacing(tmp_path, elements, spacing):
    path = write_dicom(tmp_path / "a.dcm", PICTURE, **elements)
    image = LoadImaged("image", reader=PictureReader())({"image": path})["image"]
    np.testing.assert_allclose(image.affine, np.diag([*spacing, 1, 1]))


AXES = [(order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product([1, -1], repeat=3)]


@pytest.mark.parametrize("plane", ["coronal", "axial", "sagittal"])
def test_nifti_of_any_orientation_is_upright_and_can_be_undone(tmp_path, plane):
    """The picture goes into a right-anterior-superior volume by hand, and from there into all 48 layouts."""
    toward_left_and_down = PICTURE[::-1, ::-1].T  # first axis to the right, second axis up or forward
    thin = {"coronal": 1, "axial": 2, "sagittal": 0}[plane]
    volume = np.expand_dims(toward_left_and_down, thin)
    sizes = np.array([0.5, 2.0, 3.0])
    row_axis, column_axis = {"coronal": (2, 0), "axial": (1, 0), "sagittal": (2, 1)}[plane]
    upright = nib.Nifti1Image(volume, np.diag([*sizes, 1]) + np.outer([1, 2, 3, 0], [0, 0, 0, 1]))
    for order, signs in AXES:
        file = upright.as_reoriented(np.stack([order, signs], axis=1))
        nib.save(file, tmp_path / "a.nii.gz")
        image = LoadImaged("image", reader=PictureReader())({"image": tmp_path / "a.nii.gz"})["image"]
        np.testing.assert_array_equal(image[0].numpy(), PICTURE.astype(np.float32) / 255)
        np.testing.assert_allclose(np.diag(image.affine)[:2], [sizes[row_axis], sizes[column_axis]])
        back, affine = to_original_orientation(PICTURE, image.meta)
        np.testing.assert_array_equal(back, np.asarray(file.dataobj))
        np.testing.assert_allclose(affine, file.affine)


@pytest.mark.parametrize("shape", [(40, 64), (40, 64, 1), (40, 64, 1, 1), (1, 40, 64), (40, 1, 64)])
def test_nifti_shapes_come_back(tmp_path, shape):
    values = PICTURE.reshape(shape)
    path = write_nifti(tmp_path / "a.nii", values)
    image = LoadImaged("image", reader=PictureReader())({"image": path})["image"]
    back, _ = to_original_orientation(np.round(image[0].numpy() * 255).astype(np.uint8), image.meta)
    np.testing.assert_array_equal(back, values)


def test_to_original_orientation_without_place_in_the_patient(tmp_path):
    """As ITK's programs read a DICOM picture: columns to the left, rows to the back, in mm; MONAI writes the same."""
    path = write_dicom(tmp_path / "a.dcm", PICTURE, PixelSpacing=[0.3, 0.4])
    image = LoadImaged("image", reader=PictureReader())({"image": path})["image"]
    array, affine = to_original_orientation(PICTURE, image.meta)
    np.testing.assert_array_equal(array, PICTURE.T[:, :, None])
    np.testing.assert_allclose(affine, np.diag([-0.4, -0.3, 1, 1]))
    nib.save(nib.Nifti1Image(array, affine), tmp_path / "back.nii")
    np.testing.assert_array_equal(read_picture(tmp_path / "back.nii").pixels[0], PICTURE.astype(np.float32) / 255)
    with pytest.raises(ValueError, match=re.escape("the shape of the original, (40, 64), got (4, 4)")):
        to_original_orientation(np.zeros((4, 4)), image.meta)


def test_formats_go_into_one_batch_and_keep_their_metadata(tmp_path):
    files = [
        save_png(tmp_path / "a.png", PICTURE),
        write_dicom(tmp_path / "a.dcm", PICTURE, PixelSpacing=[0.3, 0.4]),
        write_nifti(tmp_path / "a.nii", PICTURE.T[None], np.diag([2.0, -1, -1, 1])),
        write_nifti(tmp_path / "b.nii", PICTURE.T, np.diag([-1.0, -1, 1, 1])),
    ]
    dataset = Dataset([{"image": str(path)} for path in files], LoadImaged("image", reader=PictureReader()))
    batch = next(iter(DataLoader(dataset, batch_size=4)))
    assert batch["image"].shape == (4, 1, 40, 64)
    for path, item in zip(files, decollate_batch(batch), strict=True):
        assert item["image"].meta["filename_or_obj"] == str(path)
        array, affine = to_original_orientation(PICTURE, item["image"].meta)
        if path.suffix == ".nii":
            np.testing.assert_array_equal(array, np.asarray(nib.load(path).dataobj))
            np.testing.assert_allclose(affine, nib.load(path).affine)
        else:
            assert array.shape == (64, 40, 1)


def test_three_channels(tmp_path):
    grey = save_png(tmp_path / "a.png", PICTURE)
    assert read_picture(grey, channels=3).pixels.shape == (3, 40, 64)
    color = save_png(tmp_path / "b.png", np.stack([PICTURE, PICTURE, 255 - PICTURE], -1))
    np.testing.assert_array_equal(read_picture(color).pixels[2], (255 - PICTURE).astype(np.float32) / 255)


@pytest.mark.parametrize("ending", ["png", "dcm"])
def test_colored_picture_for_one_channel(tmp_path, ending):
    colors = np.stack([PICTURE, PICTURE, 255 - PICTURE], -1)
    if ending == "png":
        path = save_png(tmp_path / "a.png", colors)
    else:
        path = write_dicom(tmp_path / "a.dcm", colors, photometric="RGB")
    with fails(f"The picture {path} is colored, but a grey picture is needed (one channel, or three equal ones)."):
        read_picture(path, channels=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers(tmp_path, value):
    values = np.zeros((4, 5), np.float32)
    values[1, 2] = values[3, 3] = value
    path = write_nifti(tmp_path / "a.nii", values)
    with fails(f"The picture {path} has 2 pixels that are NaN or infinite."):
        read_picture(path)


def test_absent_file(tmp_path):
    with fails(f"The file {tmp_path / 'a.png'} does not exist."):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"no DICOM at all" * 100])
def test_file_that_is_no_dicom(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with fails(
        f"The file {path} cannot be read as a DICOM picture (it has neither the DICOM header, 'DICM' after 128 bytes, "
        "nor the bare data set of a picture); export it again as DICOM, or give it the ending of its format."
    ):
        read_picture(path)


def test_dicom_without_pixels(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", PICTURE)
    data = pydicom.dcmread(path)
    del data.PixelData
    data.save_as(path)
    with pytest.raises(InputError, match=f"^The file {re.escape(str(path))} cannot be read as a DICOM picture"):
        read_picture(path)


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("dcm", {}),
        ("dcm", {"syntax": JPEG2000Lossless}),
        ("dcm", {"syntax": JPEGBaseline8Bit}),
        ("png", {}),
        ("jpg", {}),
        ("gif", {}),
        ("nii", {}),
        ("nii.gz", {}),
    ],
)
def test_truncated_at_any_place(tmp_path, ending, options):
    """A file cut short must raise InputError, never another exception and never give another picture."""
    whole = tmp_path / f"whole.{ending}"
    if ending == "dcm":
        write_dicom(whole, PICTURE, **options)
    elif ending.startswith("nii"):
        write_nifti(whole, PICTURE)
    else:
        save_png(whole, PICTURE)
    content = whole.read_bytes()
    expected = read_picture(whole).pixels
    path = tmp_path / f"cut.{ending}"
    ends = np.unique(np.linspace(0, len(content) - 1, 60).astype(int))
    survived = []
    for end in ends:
        path.write_bytes(content[:end])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pixels = read_picture(path).pixels
        except InputError as error:
            assert str(path) in str(error)
        else:
            # only what comes after the pixels, such as a trailer, may be cut off without loss
            np.testing.assert_array_equal(pixels, expected)
            survived.append(len(content) - end)
    assert all(rest <= 64 for rest in survived)


@pytest.mark.parametrize("ending", ["dcm", "gif"])
def test_several_frames(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "dcm":
        write_dicom(path, np.stack([PICTURE] * 3), NumberOfFrames=3)
        message = f"The DICOM file {path} holds 3 frames; one picture per file is needed."
    else:
        frames = [Image.fromarray(255 - PICTURE), Image.fromarray(PICTURE // 2)]
        Image.fromarray(PICTURE).save(path, save_all=True, append_images=frames)
        message = f"The file {path} holds 3 frames; one picture per file is needed."
    with fails(message):
        read_picture(path)


def test_nifti_volume(tmp_path):
    path = write_nifti(tmp_path / "a.nii", np.zeros((4, 5, 6), np.uint8))
    with fails(f"The NIfTI file {path} has the shape (4, 5, 6); one 2D picture or one slice is needed."):
        read_picture(path)


def test_loading_ends_at_the_reader(tmp_path):
    """MONAI's LoadImage tries its other readers after one that raises while it opens; they would turn the picture."""
    path = save_png(tmp_path / "a.png", np.stack([PICTURE, PICTURE, 255 - PICTURE], -1))
    with pytest.raises(RuntimeError) as caught:
        Compose([LoadImaged("image", reader=PictureReader(channels=1))])({"image": path})
    cause = find_input_error(caught.value)
    assert cause is not None and f"The picture {path} is colored" in str(cause)


def test_reader_given_as_class_or_name(tmp_path):
    path = save_png(tmp_path / "a.png", PICTURE)
    for reader in (PictureReader, "pipeline.transforms.PictureReader"):
        image = LoadImaged("image", reader=reader, channels=3)({"image": path})["image"]
        assert image.shape == (3, 40, 64)
        assert image.dtype == torch.float32


def test_bad_options():
    with fails("The reader's channels must be 1, 3 or null, got 2."):
        PictureReader(channels=2)
    with fails("A mask has one channel: the reader's channels must be 1, got 3."):
        PictureReader(channels=3, mask=True)
    with fails("One file makes one picture, got 2: a.png, b.png."):
        reader = PictureReader()
        reader.get_data(reader.read(["a.png", "b.png"]))
