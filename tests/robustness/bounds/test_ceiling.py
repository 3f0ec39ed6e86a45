# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, gaussian_filter

from pipeline.attacks import Sigmoid, Softmax
from pipeline.robustness.bounds import ceiling, why_no_ceiling


def disc(size: int = 40, radius: float = 9.3) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.hypot(y - size / 2 - 0.3, x - size / 2 + 1.1) < radius


def tensors(picture: np.ndarray, mask: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.atleast_3d(picture.T).T.copy()).float(), torch.from_numpy(mask.astype(np.int64))[None]


def interpolated(values: np.ndarray, y: float, x: float) -> float:
    y, x = min(max(y, 0), len(values) - 1), min(max(x, 0), len(values[0]) - 1)
    i, j = min(int(y), len(values) - 2), min(int(x), len(values[0]) - 2)
    v, u = y - i, x - j
    upper, lower = values[i, j : j + 2], values[i + 1, j : j + 2]
    return (1 - v) * ((1 - u) * upper[0] + u * upper[1]) + v * ((1 - u) * lower[0] + u * lower[1])


def slowly(picture: np.ndarray, mask: np.ndarray, epsilons: list[float], tail: float) -> dict[float, float]:
    """The definition, pixel by pixel."""
    size = range(len(mask))
    distance = np.zeros(mask.shape)
    for i in size:
        for j in size:
            others = np.argwhere(mask != mask[i, j])
            distance[i, j] = (1 if mask[i, j] else -1) * np.hypot(*(others - (i, j)).T).min()
    gy, gx = np.gradient(gaussian_filter(distance, 4))
    length = np.hypot(gy, gx)
    ny, nx = gaussian_filter(gy / length, 3), gaussian_filter(gx / length, 3)
    lowest = dict.fromkeys(epsilons, 1.0)
    for r in [sign * half / 2 for half in range(1, 25) for sign in (1, -1)]:
        change, warped = np.zeros(mask.shape), np.zeros(mask.shape, bool)
        for i in size:
            for j in size:
                reach = r * math.exp(-((distance[i, j] / (3 * abs(r) + 6)) ** 2))
                y, x = i + reach * ny[i, j], j + reach * nx[i, j]
                change[i, j] = abs(interpolated(picture, y, x) - picture[i, j])
                warped[i, j] = interpolated(mask.astype(float), y, x) >= 0.5
        for epsilon in epsilons:
            if (change <= 2 * epsilon).mean() >= 1 - tail:
                lowest[epsilon] = min(lowest[epsilon], 2 * (warped & mask).sum() / (warped.sum() + mask.sum()))
    return {epsilon: (1 + value) / 2 for epsilon, value in lowest.items()}


def test_it_is_what_the_definition_gives_pixel_by_pixel() -> None:
    mask = disc(28, 6.4)
    noise = np.random.default_rng(0).normal(0, 3, mask.shape)
    picture = gaussian_filter(60 + 100.0 * mask, 2) + noise
    epsilons = [0.5, 4.0, 8.0, 16.0, 32.0, 128.0]
    slow = slowly(picture, mask, epsilons, 0.02)
    assert len(set(slow.values())) > 3
    assert ceiling(*tensors(picture, mask), epsilons, tail=0.02) == pytest.approx(slow, abs=1e-6)


def test_a_step_moves_less_than_a_pixel_until_two_epsilon_reach_its_contrast() -> None:
    mask = disc()
    found = ceiling(*tensors(90 + 40.0 * mask, mask), [19.9, 20.1], tail=0.0)
    less = binary_erosion(mask, np.ones((3, 3)))
    one_pixel = (1 + 2 * less.sum() / (less.sum() + mask.sum())) / 2
    assert one_pixel < found[19.9] < 1
    assert found[20.1] < 0.85 < one_pixel


def test_a_boundary_in_a_flat_picture_may_be_anywhere() -> None:
    mask = disc()
    flat, steep = np.full(mask.shape, 128.0), 90 + 100.0 * mask
    anywhere = ceiling(*tensors(flat, mask), [0.5])[0.5]
    assert anywhere < 0.8
    assert ceiling(*tensors(np.stack([flat, flat, flat]), mask), [0.5])[0.5] == anywhere
    # one channel that shows the boundary is enough
    color = ceiling(*tensors(np.stack([flat, steep, flat]), mask), [8.0, 20.0, 60.0])
    assert color == ceiling(*tensors(steep, mask), [8.0, 20.0, 60.0])
    assert color[8.0] > anywhere


def test_it_never_rises_with_epsilon_nor_with_the_tail() -> None:
    mask = disc()
    picture = gaussian_filter(60 + 100.0 * mask, 3)
    epsilons = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    strict, lax = (list(ceiling(*tensors(picture, mask), epsilons, tail).values()) for tail in (0.001, 0.05))
    for values in (strict, lax):
        assert all(later <= earlier for earlier, later in zip(values, values[1:], strict=False))
    assert all(low <= high for low, high in zip(lax, strict, strict=True))
    assert lax != strict


@pytest.mark.parametrize("value", [0, 1])
def test_without_a_boundary_nothing_moves(value: int) -> None:
    mask = np.full((12, 12), value, bool)
    assert ceiling(*tensors(np.zeros((12, 12)), mask), [32.0]) == {32.0: 1.0}


def test_where_it_is_not_defined_it_says_why() -> None:
    assert why_no_ceiling(Softmax(2), 2) == why_no_ceiling(Sigmoid(1), 2) == ""
    assert "these have 3" in why_no_ceiling(Softmax(2), 3)
    assert "there are 3" in why_no_ceiling(Softmax(4), 2)
    assert "there are 2" in why_no_ceiling(Sigmoid(2), 2)
