# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImage, LoadImaged
from PIL import Image

from pipeline.transforms import (
    CheckLogitsd,
    CheckMaskd,
    PictureReader,
    check_pair,
    read_mask,
    read_picture,
    to_original_orientation,
)
from pipeline.utils import InputError, find_input_error

from .files import asymmetric, fails, write_dicom, write_nifti


def save(path, rows, columns):
    Image.fromarray(np.zeros((rows, columns), np.uint8)).save(path)
    return path


def loading(**options):
    return Compose(
        [
            LoadImaged("image", reader=PictureReader(channels=1)),
            LoadImaged("label", reader=PictureReader(mask=True)),
            CheckMaskd("label", image_key="image", **options),
        ]
    )


def test_mask_of_another_size(tmp_path):
    image, mask = save(tmp_path / "image.png", 6, 8), save(tmp_path / "mask.png", 8, 6)
    with pytest.raises(RuntimeError) as caught:
        loading()({"image": image, "label": mask})
    assert str(find_input_error(caught.value)) == (
        f"The mask {mask} has 8 × 6 pixels (rows × columns), but its image {image} has 6 × 8."
    )


def test_mask_of_the_same_size_goes_through_even_if_empty(tmp_path):
    image, mask = save(tmp_path / "image.png", 6, 8), save(tmp_path / "mask.png", 6, 8)
    item = loading()({"image": image, "label": mask})
    assert item["label"].shape == item["image"].shape == (1, 6, 8)
    assert item["label"].max() == 0


def test_plain_tensors_are_named_by_key():
    message = "The mask 'label' has 3 × 4 pixels (rows × columns), but its image 'image' has 3 × 5."
    with fails(message):
        CheckMaskd("label")({"image": torch.zeros(1, 3, 5), "label": torch.zeros(1, 3, 4)})


def test_absent_mask():
    item = {"image": torch.zeros(1, 3, 5)}
    assert CheckMaskd("label", allow_missing_keys=True)(item).keys() == {"image"}
    with pytest.raises(KeyError):
        CheckMaskd("label")(item)


def save_turned(path, orientation, rows=6, columns=8):
    image = Image.fromarray(np.zeros((rows, columns), np.uint8))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("turned", ["picture", "mask"])
def test_nothing_says_which_way_up_the_other_was_drawn(tmp_path, orientation, turned):
    image, mask = tmp_path / "image.png", tmp_path / "mask.png"
    save_turned(image if turned == "picture" else mask, orientation)
    save(mask if turned == "picture" else image, 6, 8)
    other = "mask" if turned == "picture" else "picture"
    message = (
        f"The {turned} {image if turned == 'picture' else mask} has an EXIF orientation ({orientation}) that turns "
        f"or mirrors it, and nothing says whether its {other} was drawn before or after; save the {turned} without "
        f"this tag, oriented as its {other}."
    )
    with fails(message):
        check_pair(read_picture(image), image, read_mask(mask), mask)
    with pytest.raises(RuntimeError) as caught:
        loading()({"image": image, "label": mask})
    assert str(find_input_error(caught.value)) == message


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_tags_that_turn_nothing(tmp_path, orientation):
    image, mask = save_turned(tmp_path / "image.png", orientation), save(tmp_path / "mask.png", 6, 8)
    check_pair(read_picture(image), image, read_mask(mask), mask)
    assert loading()({"image": image, "label": mask})["image"].shape == (1, 6, 8)


def test_a_pair_of_two_sizes(tmp_path):
    image, mask = save(tmp_path / "image.png", 6, 8), save(tmp_path / "mask.png", 8, 6)
    message = f"The mask {mask} has 8 × 6 pixels (rows × columns), but its image {image} has 6 × 8."
    with fails(message):
        check_pair(read_picture(image), image, read_mask(mask), mask)


def test_logits_pass_as_they_are() -> None:
    data = {"pred": MetaTensor(torch.randn(2, 4, 5)), "image": torch.zeros(3, 4, 5), "name": "a"}
    checked = CheckLogitsd("pred", "image")(data)
    assert checked == data and checked["pred"] is data["pred"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.zeros(1, 4, 5), "'pred': the network must give .*, but gives a tensor of shape (1, 1, 4, 5) and type "),
        (torch.zeros(2, 5, 4), "'pred': the network must give .*, but gives a tensor of shape (1, 2, 5, 4) and type "),
        (
            [torch.zeros(2, 4, 5)],
            "'pred': the network must give .*, but gives a list of 1, the first being a tensor of ",
        ),
        (torch.full((2, 4, 5), torch.nan), "'pred': the network gives logits that are not finite;.*"),
    ],
    ids=["one_channel", "size", "list", "nan"],
)
def test_what_would_become_an_empty_mask_is_refused(output: object, message: str) -> None:
    pattern = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(InputError, match=f"^{pattern}"):
        CheckLogitsd("pred", "image")({"pred": output, "image": torch.zeros(1, 4, 5)})


SQUARE = asymmetric((12, 12))
UPRIGHT = np.diag([-1.0, -1, 1, 1])
# the pixels of UPRIGHT from the other end of either axis, at the same places
REVERSED = np.array([[1.0, 0, 0, -11], [0, 1, 0, -11], [0, 0, 1, 0], [0, 0, 0, 1]])
UNCHANGED = np.eye(4)  # as nibabel writes what nobody has given a place
ANOTHER_SLICE = np.array([[1.0, 0, 0, -11], [0, 1, 0, -11], [0, 0, 1, 3], [0, 0, 0, 1]])
ELSEWHERE = np.array([[-0.5, 0, 0, 40], [0, -0.5, 0, 7], [0, 0, 2, 3], [0, 0, 0, 1.0]])


def nifti_pair(folder, image_affine, mask_affine, mask):
    write_nifti(folder / "image.nii", SQUARE.T[..., None], image_affine)
    write_nifti(folder / "mask.nii", mask.T.astype(np.uint8)[..., None], mask_affine)
    return folder / "image.nii", folder / "mask.nii"


@pytest.mark.parametrize(
    ("image_affine", "mask_affine", "drawn"),
    [
        (UPRIGHT, UPRIGHT, SQUARE > 100),
        (UNCHANGED, UNCHANGED, SQUARE > 100),
        (UPRIGHT, REVERSED, (SQUARE > 100)[::-1, ::-1]),
        (UPRIGHT, ANOTHER_SLICE, (SQUARE > 100)[::-1, ::-1]),
        # turned alike: what else an affine says of the place, many an editor loses
        (UPRIGHT, ELSEWHERE, SQUARE > 100),
    ],
)
def test_affines_that_lay_a_mask_over_its_picture(tmp_path, image_affine, mask_affine, drawn):
    image, mask = nifti_pair(tmp_path, image_affine, mask_affine, drawn)
    check_pair(read_picture(image), image, read_mask(mask), mask)
    item = loading()({"image": image, "label": mask})
    np.testing.assert_array_equal(item["label"], item["image"] > 100 / 255)


@pytest.mark.parametrize("format_of_picture", ["nii", "png", "dcm"])
def test_an_affine_that_turns_only_one_of_the_two(tmp_path, format_of_picture):
    image, mask = nifti_pair(tmp_path, UPRIGHT, UNCHANGED, SQUARE > 100)
    if format_of_picture != "nii":
        image = tmp_path / f"image.{format_of_picture}"
        Image.fromarray(SQUARE).save(image) if format_of_picture == "png" else write_dicom(image, SQUARE)
    message = (
        f"The mask {mask} and its picture {image} are turned or mirrored in different ways by the NIfTI affine of "
        "either, and do not lie over each other in space, in which PNG, JPEG and DICOM have no place; save both as "
        "NIfTI with one affine, or both as PNG, the right way up."
    )
    with fails(message):
        check_pair(read_picture(image), image, read_mask(mask), mask)
    with pytest.raises(RuntimeError) as caught:
        loading()({"image": image, "label": mask})
    assert str(find_input_error(caught.value)) == message


def test_a_picture_that_its_affine_turns_beside_a_png_of_its_mask(tmp_path):
    image, _ = nifti_pair(tmp_path, UNCHANGED, UNCHANGED, SQUARE > 100)
    mask = tmp_path / "mask.png"
    Image.fromarray((SQUARE > 100).astype(np.uint8)).save(mask)
    with pytest.raises(InputError, match="in which PNG, JPEG and DICOM have no place"):
        check_pair(read_picture(image), image, read_mask(mask), mask)


def test_a_mask_as_inference_writes_it_beside_a_png(tmp_path):
    image = tmp_path / "image.png"
    Image.fromarray(SQUARE).save(image)
    volume, affine = to_original_orientation(
        (SQUARE > 100).astype(np.uint8), LoadImage(reader=PictureReader())(image).meta
    )
    mask = write_nifti(tmp_path / "mask.nii.gz", volume, affine)
    check_pair(read_picture(image), image, read_mask(mask), mask)
    np.testing.assert_array_equal(read_mask(mask).pixels[0], SQUARE > 100)
