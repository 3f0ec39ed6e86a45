# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from pipeline.attacks import Sigmoid, Softmax
from pipeline.robustness.likeness import Likeness


def disc(radius: float) -> torch.Tensor:
    places = torch.arange(48) - 24
    return ((places[:, None] ** 2 + places[None] ** 2) < radius**2)[None, None].float()


def test_all_pairs_count_and_empty_masks_say_nothing() -> None:
    masks = [torch.tensor([[row]]) for row in ([1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0])]
    alike = Likeness(Softmax())
    for each in masks:
        alike.offer(each)
    # one pair of two thirds, four with one empty mask; the empty two say nothing
    assert alike.mean() == pytest.approx((2 / 3 + 4 * 0) / 5)
    # a second class that neither has is left out of the mean
    alike = Likeness(Sigmoid(2))
    alike.offer(torch.tensor([[[1, 1], [0, 0]], [[1, 0], [0, 0]]]))
    assert alike.mean() == pytest.approx(2 / 3)


def test_neighbouring_slices_are_not_all_that_is_compared() -> None:
    radii = torch.linspace(8, 20, 100).tolist()
    alike = Likeness(Softmax())
    for radius in radii:
        alike.offer(disc(radius))
    masks = [disc(radius).bool() for radius in radii]
    pairs = [2 * (a & b).sum().item() / (a.sum() + b.sum()).item() for a, b in combinations(masks, 2)]
    assert alike.mean() == pytest.approx(sum(pairs) / len(pairs), abs=0.1)
    neighbours = [2 * (a & b).sum().item() / (a.sum() + b.sum()).item() for a, b in zip(masks, masks[1:], strict=False)]
    assert sum(neighbours) / len(neighbours) > 0.97 and alike.mean() < 0.75


def test_nothing_to_compare() -> None:
    alike = Likeness(Softmax())
    assert alike.mean() is None
    alike.offer(torch.ones(1, 1, 4, 4))
    alike.offer(torch.ones(1, 1, 5, 5))
    assert alike.mean() is None
