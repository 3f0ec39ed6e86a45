# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ScaleIntensityFixedMean
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter1d

from pipeline.robustness.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from pipeline.utils import InputError

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
GREY, COLOR, VOLUME, MODALITIES = (1, 40, 30), (3, 24, 36), (1, 20, 18, 9), (4, 12, 10, 8)


def image(shape: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth picture with a square organ, in which no grey level is near the ends of the range."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.zeros(1, *shape[1:], dtype=torch.int64)
    label[(slice(None), *[slice(length // 4, length // 2) for length in shape[1:]])] = 1
    return 100 + 30 * label + 20 * torch.rand(shape, generator=generator), label


def applicable(shape: tuple[int, ...]) -> list[Corruption]:
    return [corruption for corruption in CORRUPTIONS if corruption.applies(torch.zeros(shape))]


def test_all_have_severities_and_only_jpeg_needs_pictures() -> None:
    assert list(BY_NAME) == list(SEVERITIES)
    for shape in (GREY, COLOR):
        assert len(applicable(shape)) == len(CORRUPTIONS)
    for shape in (VOLUME, MODALITIES, (2, 9, 9)):
        assert {each.name for each in CORRUPTIONS} - {each.name for each in applicable(shape)} == {"JPEG"}
    with pytest.raises(InputError, match=r"JPEG does not apply to a picture of shape \(1, 20, 18, 9\)"):
        BY_NAME["JPEG"](*image(VOLUME), severity=1)


@pytest.mark.parametrize("shape", [GREY, COLOR, VOLUME, MODALITIES])
def test_shapes_range_labels_and_a_harm_that_grows(shape: tuple[int, ...]) -> None:
    picture, label = image(shape)
    for corruption in applicable(shape):
        changes = []
        for severity in range(1, 6):
            corrupted, moved = corruption(picture, label, severity)
            assert (corrupted.shape, corrupted.dtype) == (picture.shape, picture.dtype)
            assert (moved.shape, moved.dtype) == (label.shape, label.dtype)
            assert corrupted.min() >= 0 and corrupted.max() <= 255
            assert corruption.name == "rotation" or torch.equal(moved, label)
            changes.append((corrupted - picture).square().mean().item())
        assert 0 < changes[0] < changes[2] < changes[4], corruption.name


@pytest.mark.parametrize("name", ["gaussian noise", "speckle noise", "shot noise", "overexposure", "high contrast"])
def test_what_would_leave_the_range_is_cut_off(name: str) -> None:
    picture = torch.tensor([0.0, 255.0]).repeat(1, 16, 8)
    corrupted, _ = BY_NAME[name](picture, torch.zeros(1, 16, 16), 5)
    assert corrupted.min() >= 0 and corrupted.max() == 255


@pytest.mark.parametrize("level", [60.0, 120.0])
@pytest.mark.parametrize("severity", [1, 2])
def test_noise_has_the_deviation_of_the_table(level: float, severity: int) -> None:
    flat, label = torch.full((1, 300, 300), level), torch.zeros(1, 300, 300)
    tables = {name: SEVERITIES[name].values[severity - 1] for name in ("gaussian noise", "speckle noise", "shot noise")}
    expected = {
        "gaussian noise": 255 * tables["gaussian noise"],
        "speckle noise": level * tables["speckle noise"],
        "shot noise": (level * 255 / tables["shot noise"]) ** 0.5,
    }
    for name, deviation in expected.items():
        corrupted, _ = BY_NAME[name](flat, label, severity)
        assert corrupted.mean().item() == pytest.approx(level, abs=1)
        assert corrupted.std().item() == pytest.approx(deviation, rel=0.03)
    quanta = BY_NAME["shot noise"](flat, label, severity)[0] / 255 * tables["shot noise"]
    torch.testing.assert_close(quanta, quanta.round(), rtol=0, atol=1e-4)


def test_noise_follows_seed_and_content_and_nothing_else() -> None:
    noise = BY_NAME["gaussian noise"]
    picture, label = image(GREY)
    other = picture.clone()
    other[0, 0, 0] += 1
    first = noise(picture, label, 1)[0]
    torch.manual_seed(9)
    np.random.seed(9)  # noqa: NPY002
    again = noise(MetaTensor(picture), label, 1)[0]
    assert type(again) is torch.Tensor and torch.equal(again, first)
    assert not torch.equal(noise(picture, label, 1, seed=1)[0], first)
    assert not torch.equal((noise(other, label, 1)[0] - other)[0, 1:], (first - picture)[0, 1:])
    assert torch.equal(noise(picture.double(), label, 1)[0].float(), first)


@pytest.mark.parametrize("severity", [1, 5])
def test_exposure_is_pillows_brightness_and_contrast_monais(severity: int) -> None:
    picture, label = image(GREY)
    picture = picture.round()
    shown = Image.fromarray(picture[0].numpy().astype(np.uint8))
    for name in ("overexposure", "underexposure"):
        pillows = np.asarray(ImageEnhance.Brightness(shown).enhance(SEVERITIES[name].values[severity - 1]))
        assert np.abs(BY_NAME[name](picture, label, severity)[0][0].numpy() - pillows).max() <= 1
    picture, label = image(MODALITIES)
    picture[1] -= 60
    for name in ("high contrast", "low contrast"):
        scale = ScaleIntensityFixedMean(SEVERITIES[name].values[severity - 1] - 1, channel_wise=True)
        torch.testing.assert_close(BY_NAME[name](picture, label, severity)[0], scale(picture).clamp(0, 255))


def test_those_that_rest_on_zero_are_the_ones_that_another_zero_changes() -> None:
    picture = image(GREY)[0].double().numpy()
    moved = set()
    for each in CORRUPTIONS:
        strength = SEVERITIES[each.name].values[0]
        here, there = (each.change(levels, strength, np.random.default_rng(0)) for levels in (picture, picture + 20))
        # JPEG rounds, so that it is nowhere quite the same
        if np.abs(there - 20 - here).max() > 1e-6 and each.name != "JPEG":
            moved.add(each.name)
    assert moved == {each.name for each in CORRUPTIONS if each.needs_zero}
    assert moved == {"speckle noise", "shot noise", "overexposure", "underexposure"}


@pytest.mark.parametrize("shape", [COLOR, VOLUME])
def test_blur_smooths_each_axis_and_no_channel(shape: tuple[int, ...]) -> None:
    picture, label = image(shape)
    smoothed = picture.double().numpy()
    for axis in range(1, len(shape)):
        smoothed = gaussian_filter1d(smoothed, SEVERITIES["blur"].values[2], axis, mode="nearest")
    np.testing.assert_allclose(BY_NAME["blur"](picture, label, 3)[0].numpy(), smoothed, atol=1e-3)


@pytest.mark.parametrize("shape", [GREY, COLOR])
def test_jpeg_is_pillows(shape: tuple[int, ...]) -> None:
    picture, label = image(shape)
    rounded = picture.round().numpy().astype(np.uint8)
    file = BytesIO()
    Image.fromarray(rounded[0] if shape[0] == 1 else np.moveaxis(rounded, 0, 2)).save(file, "JPEG", quality=15)
    decoded = np.asarray(Image.open(file))
    expected = decoded[None] if shape[0] == 1 else np.moveaxis(decoded, 2, 0)
    np.testing.assert_array_equal(BY_NAME["JPEG"](picture, label, 3)[0].numpy(), expected)


def test_low_resolution_averages_blocks_and_interpolates_between_their_middles() -> None:
    picture, label = image((2, 40, 30))
    corrupted, _ = BY_NAME["low resolution"](picture, label, 2)  # half the size
    blocks = picture.view(2, 20, 2, 15, 2).mean((2, 4)).numpy()
    for k in range(2):
        rows = np.stack([np.interp(np.arange(40) / 2 - 0.25, np.arange(20), column) for column in blocks[k].T], 1)
        both = np.stack([np.interp(np.arange(30) / 2 - 0.25, np.arange(15), row) for row in rows])
        np.testing.assert_allclose(corrupted[k].numpy(), both, atol=1e-3)
    tiny, _ = BY_NAME["low resolution"](*image((1, 3, 3, 2)), severity=5)
    assert tiny.shape == (1, 3, 3, 2) and tiny.std() < 1e-3


@pytest.mark.parametrize("depth", [(), (3,)])
def test_rotation_takes_the_mask_along(depth: tuple[int, ...]) -> None:
    length, degrees = 61, SEVERITIES["rotation"].values[4]
    y, x = np.mgrid[:length, :length] - length // 2
    bar = (np.abs(y) < 4) & (np.abs(x) < 20)
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    expected = [(np.abs(cos * y + way * sin * x) < 3.5) & (np.abs(cos * x - way * sin * y) < 19.5) for way in (1, -1)]
    label = torch.from_numpy(3 * bar.astype(np.int64)).view(1, length, length, *[1] * len(depth))
    label = label.expand(1, length, length, *depth)
    picture, moved = BY_NAME["rotation"](50.0 * label, label, 5)
    assert set(moved.unique().tolist()) == {0, 3}
    plane = (moved[0] > 0).view(length, length, -1)
    for k in range(plane.shape[-1]):
        wrong = [(plane[..., k].numpy() ^ way).sum() for way in expected]
        assert min(wrong) <= 2 and max(wrong) > 100
    # the picture shows the organ where the mask says
    assert ((picture > 75) != (moved > 0)).float().mean() < 0.003


def test_rotation_repeats_the_border_of_both() -> None:
    label = torch.ones(2, 15, 15, dtype=torch.bool)
    picture, moved = BY_NAME["rotation"](torch.full((1, 15, 15), 80.0), label, 5)
    assert moved.dtype == torch.bool and moved.all()
    torch.testing.assert_close(picture, torch.full((1, 15, 15), 80.0))


@pytest.mark.parametrize("severity", [0, 6, 2.0])
def test_other_severities_are_refused(severity: int) -> None:
    with pytest.raises(InputError, match="severity: a whole number of 1 to 5"):
        BY_NAME["blur"](*image(GREY), severity)
    with pytest.raises(InputError, match="seed"):
        BY_NAME["blur"](*image(GREY), 1, seed=-1)
