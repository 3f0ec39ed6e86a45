# SPDX-License-Identifier: Apache-2.0
"""Uniform noise, the control beside every attack."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .attacked_network import AttackedNetwork
from .grey_levels import Range, check_epsilons, check_picture, check_range, project
from .random_start import check_seed, uniform_noise

__all__ = ["UniformNoise"]


class UniformNoise:
    """Noise without intent: each pixel moves by a uniform amount of at most ε. The control beside every attack.

    A network that loses as much under noise as under an attack is disturbed, not attacked. All intensities scale the
    same noise, which depends on the picture and the seed only.

    Args:
        seed: another seed gives other noise.
        value_range: the picture's grey levels are kept in it; None for no limit.
        unit: what ε counts, in grey levels of 255.

    Raises:
        InputError: if the seed is below 0 or the range does not rise, and, in a call, for an ε that is not above 0 or a
            pixel out of range.

    Example:
        >>> noisy = UniformNoise()(attacked, picture, label, [2.0, 8.0])
        >>> (noisy[8.0] - picture).abs().max() <= 8
        tensor(True)
    """

    def __init__(self, seed: int = 0, value_range: Range = (0.0, 255.0), unit: float = 1.0) -> None:
        self.seed = seed
        self.value_range = value_range
        self.unit = unit
        check_seed(seed)
        check_range(value_range)

    def check(self, epsilons: Sequence[float]) -> None:
        check_epsilons(epsilons)

    def steps(self, epsilon: float) -> int:
        return 0

    def gradients(self, epsilons: Sequence[float]) -> int:
        return 0

    def __call__(
        self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, epsilons: Sequence[float]
    ) -> dict[float, torch.Tensor]:
        self.check(epsilons)
        check_picture(picture, self.value_range)
        noise = uniform_noise(picture, self.seed)
        return {
            epsilon: picture + project(epsilon * self.unit * noise, picture, epsilon * self.unit, self.value_range)
            for epsilon in epsilons
        }
