# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.attacks import PGD, AttackedNetwork, UniformNoise
from pipeline.attacks.random_start import uniform_noise
from pipeline.utils import InputError

ATTACKED = AttackedNetwork(nn.Conv2d(1, 2, 1))


def noise(picture: torch.Tensor, epsilons: list[float], **settings: object) -> dict[float, torch.Tensor]:
    attack = UniformNoise(**settings)
    assert attack.gradients(epsilons) == 0
    return attack(ATTACKED, picture, torch.zeros_like(picture), epsilons)


def test_each_pixel_moves_by_a_uniform_amount_of_at_most_epsilon() -> None:
    picture = torch.full((1, 1, 200, 200), 128.0)
    for epsilon, noisy in noise(picture, [2.0, 8.0]).items():
        moved = (noisy - picture).flatten() / epsilon
        assert moved.abs().max() <= 1
        # of a uniform variable in [-1, 1]: mean 0, variance 1/3, and each tenth of the range as often as another
        assert moved.mean().abs() < 0.01 and abs(moved.var() - 1 / 3) < 0.01
        counts = torch.histc(moved, 10, -1, 1) / len(moved)
        assert ((counts - 0.1).abs() < 0.01).all()


def test_it_keeps_to_the_range() -> None:
    picture = torch.cat([torch.zeros(1, 1, 20, 20), torch.full((1, 1, 20, 20), 255.0)])
    noisy = noise(picture, [8.0])[8.0]
    assert noisy.min() == 0 and noisy.max() == 255
    assert noise(picture, [8.0], value_range=None)[8.0].min() < 0


def test_the_same_picture_has_the_same_noise_in_any_batch_and_another_picture_another() -> None:
    pictures = 255 * torch.rand(3, 1, 9, 9)
    together = noise(pictures, [8.0])[8.0]
    alone = noise(pictures[1:2], [8.0])[8.0]
    assert torch.equal(together[1:2], alone)
    moved = together - pictures
    assert not torch.allclose(moved[0], moved[2], atol=0.1)
    assert not torch.equal(noise(pictures, [8.0], seed=1)[8.0], together)
    scaled = noise(pictures, [2.0, 8.0], value_range=None)
    assert torch.allclose((scaled[8.0] - pictures), 4 * (scaled[2.0] - pictures), atol=1e-4)


@pytest.mark.parametrize("seed", [-1, 0.5, True])
def test_a_seed_that_is_none(seed: int) -> None:
    for attack in (UniformNoise, PGD):
        with pytest.raises(InputError, match="^seed must be a whole number of at least 0"):
            attack(seed=seed)


def test_the_next_noise_of_a_seed_is_not_that_of_the_next_seed() -> None:
    picture = torch.rand(1, 1, 9, 9)
    noises = [uniform_noise(picture, seed, number) for seed in (0, 1) for number in (0, 1)]
    assert len({tuple(noise.flatten().tolist()) for noise in noises}) == 4
