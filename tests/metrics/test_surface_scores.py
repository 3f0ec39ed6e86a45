# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from scipy import ndimage

from pipeline.metrics import surface_scores


def boundary(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask & ~ndimage.binary_erosion(mask))


def by_hand(first: np.ndarray, second: np.ndarray, tolerance: float) -> tuple[float, float]:
    """All distances between all boundary pixels."""
    distances = np.linalg.norm(boundary(first)[:, None] - boundary(second)[None], axis=-1)
    there, back = distances.min(1), distances.min(0)
    near = (there <= tolerance).sum() + (back <= tolerance).sum()
    return max(np.percentile(there, 95), np.percentile(back, 95)), near / (len(there) + len(back))


@pytest.mark.parametrize("size", [(24, 19), (10, 11, 12)])
def test_equal_what_all_pairs_of_boundary_pixels_give(size: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    masks = [ndimage.gaussian_filter(generator.standard_normal(size), 2) > 0 for _ in range(4)]
    prediction, label = (torch.tensor(np.stack(pair))[None] for pair in (masks[:2], masks[2:]))
    expected = np.mean([by_hand(masks[index], masks[2 + index], 1.0) for index in range(2)], axis=0)
    assert surface_scores(prediction, label, 1.0)[0].tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    maps = prediction.float(), label.float()
    monai = [
        compute_hausdorff_distance(*maps, include_background=True, percentile=95).mean().item(),
        compute_surface_dice(*maps, [1.0, 1.0], include_background=True).mean().item(),
    ]
    assert surface_scores(prediction, label, 1.0)[0].tolist() == pytest.approx(monai, abs=1e-5)


def test_what_is_not_defined_is_no_number_and_classes_that_are_defined_count() -> None:
    full, empty = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    full[..., 2:5, 2:5] = 1
    assert [math.isnan(value) for value in surface_scores(empty, empty)[0]] == [True, True]
    hd95, nsd = surface_scores(empty, full)[0].tolist()
    assert math.isnan(hd95) and nsd == 0
    assert surface_scores(torch.cat([full, empty], 1), torch.cat([full, empty], 1))[0].tolist() == [0, 1]
    # the other class alone would hide that one is lost
    hd95, nsd = surface_scores(torch.cat([full, empty], 1), torch.cat([full, full], 1))[0].tolist()
    assert math.isnan(hd95) and nsd == 0.5
