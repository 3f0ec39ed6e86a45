# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from pipeline.attacks import OutputClasses, Sigmoid, Softmax
from pipeline.robustness.bounds import ConstantMask
from pipeline.robustness.bounds.constant_mask import THRESHOLDS
from pipeline.utils import InputError


def blobs(count: int, size: tuple[int, ...], classes: OutputClasses, seed: int = 0) -> list[torch.Tensor]:
    """Masks that are alike: random numbers above a bump in the middle."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.meshgrid(*[torch.linspace(-1, 1, length) for length in size], indexing="ij")
    bump = sum(axis**2 for axis in axes)
    shape = (classes.mask_channels, *size)
    masks = [torch.rand(shape, generator=generator) * 1.2 > bump for _ in range(count)]
    return [mask * torch.randint(1, classes.labels + 1, shape, generator=generator) for mask in masks]


def dic(a: np.ndarray, b: np.ndarray) -> float:
    return 1.0 if not (a.any() or b.any()) else 2 * (a & b).sum() / (a.sum() + b.sum())


def one_hot(mask: torch.Tensor, classes: OutputClasses) -> np.ndarray:
    array = mask.numpy()
    return np.stack([array[0] == k for k in range(1, classes.labels + 1)]) if len(array) == 1 else array > 0


@pytest.mark.parametrize("classes", [Softmax(2), Softmax(4), Sigmoid(1), Sigmoid(3)], ids=str)
@pytest.mark.parametrize("size", [(7, 5), (4, 3, 5)])
def test_it_is_the_best_of_all_thresholds_tried_one_by_one(classes: OutputClasses, size: tuple[int, ...]) -> None:
    masks = blobs(9, size, classes)
    maps = [one_hot(mask, classes) for mask in masks]
    frequency = np.mean(maps, axis=0)
    if isinstance(classes, Softmax):
        frequency = frequency * (np.arange(len(frequency)).reshape(-1, *[1] * len(size)) == frequency.argmax(0))
    best = np.mean(
        [
            max(np.mean([dic(of_class > threshold, image[k]) for image in maps]) for threshold in THRESHOLDS.tolist())
            for k, of_class in enumerate(frequency)
        ]
    )
    floor = ConstantMask(masks, classes)
    assert np.mean([floor.score(mask) for mask in masks]) == pytest.approx(best, abs=1e-6)
    assert 0 < best < 1


def test_classes_that_exclude_each_other_share_no_pixel() -> None:
    first, second = torch.tensor([[[1, 1, 2, 0]]]), torch.tensor([[[1, 2, 2, 0]]])
    floor = ConstantMask([first, first, second], Softmax(3))
    assert floor.maps((1, 4)).int().tolist() == [[[1, 1, 0, 0]], [[0, 0, 1, 0]]]
    assert floor.score(first) == 1
    assert floor.score(second) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_a_class_that_most_images_lack_is_left_out() -> None:
    empty, once = torch.zeros(2, 3, 3), torch.zeros(2, 3, 3)
    empty[0, 1, 1] = once[0, 1, 1] = once[1, 0, 0] = 1
    floor = ConstantMask([empty, empty, once], Sigmoid(2))
    assert floor.maps((3, 3)).sum((1, 2)).tolist() == [1, 0]
    assert floor.score(empty) == 1
    assert floor.score(once) == 0.5


def test_masks_of_other_sizes_count_in_relative_coordinates() -> None:
    left = torch.zeros(1, 4, 4)
    left[..., :2] = 1
    large, wide = torch.zeros(1, 8, 8), torch.zeros(1, 4, 12)
    large[..., :4] = 1
    wide[..., :6] = 1
    floor = ConstantMask([large, left, left], Softmax())
    assert floor.maps((4, 4)).int().tolist() == left.int().tolist()
    assert [floor.score(mask) for mask in (left, large, wide)] == [1, 1, 1]
    quarter = torch.zeros(1, 8, 8)
    quarter[..., :2] = 1
    assert floor.score(quarter) == pytest.approx(2 * 16 / (32 + 16))


def test_frequencies_are_means_of_areas_in_the_most_common_size() -> None:
    fine = (torch.arange(64).view(1, 8, 8) + torch.arange(8).view(8, 1)) % 2
    floor = ConstantMask([fine, torch.ones(1, 4, 4), torch.zeros(1, 4, 4)], Softmax())
    assert torch.equal(torch.as_tensor(floor._frequencies), torch.full((1, 4, 4), 0.5, dtype=torch.float64))


def test_masks_of_monai_are_taken_and_given_as_plain_tensors() -> None:
    masks = [MetaTensor(mask) for mask in blobs(3, (6, 6), Softmax())]
    assert type(ConstantMask(masks, Softmax()).maps((6, 6))) is torch.Tensor


def test_bad_input() -> None:
    with pytest.raises(InputError, match="there are none"):
        ConstantMask([], Softmax())
    with pytest.raises(TypeError, match="not an iterator"):
        ConstantMask(iter(blobs(2, (3, 3), Softmax())), Softmax())


@pytest.mark.parametrize(
    ("mask", "classes", "message"),
    [
        (255 * torch.ones(1, 4, 4), Softmax(), "values from 255 to 255"),
        (torch.full((1, 4, 4), 0.7), Softmax(), "not whole"),
        (torch.full((1, 4, 4), torch.nan), Softmax(), "not numbers"),
        (torch.full((1, 4, 4), 2), Sigmoid(), "values from 2 to 2"),
        (torch.ones(4, 4), Softmax(), "must be a tensor"),
        (torch.ones(2, 4, 4), Sigmoid(), "must be a tensor"),
    ],
)
def test_masks_of_other_numbers_or_channels_make_no_floor(
    mask: torch.Tensor, classes: OutputClasses, message: str
) -> None:
    with pytest.raises(InputError, match=f"training_masks: .*{message}|label: .*{message}"):
        ConstantMask([mask], classes)


def test_masks_with_other_axes_than_the_pictures_make_no_floor() -> None:
    with pytest.raises(InputError, match=r"most have the size \(4, 4\), but a mask has \(4, 4, 1\)"):
        ConstantMask([torch.ones(1, 4, 4), torch.ones(1, 4, 4), torch.ones(1, 4, 4, 1)], Softmax())
    with pytest.raises(InputError, match=r"most have the size \(4, 4, 1\), but a mask has \(4, 4\)"):
        ConstantMask([torch.ones(1, 4, 4, 1)], Softmax()).score(torch.ones(1, 4, 4))


def test_one_hot_masks_and_truth_values_are_class_numbers() -> None:
    masks = blobs(3, (6, 5), Softmax())
    usual = ConstantMask(masks, Softmax())
    for same in ([torch.cat([1 - mask, mask]) for mask in masks], [mask > 0 for mask in masks]):
        assert torch.equal(ConstantMask(same, Softmax()).maps((6, 5)), usual.maps((6, 5)))
        assert ConstantMask(same, Softmax()).score(same[0]) == usual.score(masks[0])
