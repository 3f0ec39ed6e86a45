# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from pipeline.utils import InputError

__all__ = ["Gradient", "check_attack", "fgsm_step", "iterative_fgsm", "num_iterations"]

Gradient = Callable[[torch.Tensor], torch.Tensor]


def num_iterations(epsilon: float) -> int:
    """Return min(ε + 4, ⌈1.25 ε⌉) for an intensity ε in grey levels, rounded up where ε is fractional."""
    return math.ceil(min(epsilon + 4, 1.25 * epsilon))


def iterative_fgsm(
    gradient: Gradient,
    image: torch.Tensor,
    epsilon: float,
    *,
    step: float = 1.0,
    iterations: Callable[[float], int] = num_iterations,
    value_range: tuple[float, float] | None = (0.0, 255.0),
) -> torch.Tensor:
    """Attack with iterative FGSM of a fixed step from the clean picture (He et al., equation 6).

    Args:
        gradient: from pictures in grey levels to the gradient, of the same shape, of the loss that the attack lowers.
        image: clean pictures (B, C, *spatial) in grey levels, within ``value_range``.
        epsilon: ε, the largest change of a pixel in grey levels.
        step: α, the change of a pixel in one iteration in grey levels.
        iterations: from ε to the number of iterations.
        value_range: lowest and highest grey level; None leaves the picture unbounded, as equation 6 is written.

    Returns:
        The adversarial pictures (B, C, *spatial) in grey levels.

    Raises:
        InputError: if ε or α is not above 0, or a pixel is outside ``value_range``.
        FloatingPointError: if the gradient is not finite.
    """
    check_attack(image, [epsilon], step, value_range)
    delta = torch.zeros_like(image)
    for _ in range(iterations(epsilon)):
        delta = fgsm_step(delta, gradient(image + delta), image, epsilon, step, value_range)
    return image + delta


def fgsm_step(
    delta: torch.Tensor,
    gradient: torch.Tensor,
    image: torch.Tensor,
    epsilon: float,
    step: float,
    value_range: tuple[float, float] | None,
) -> torch.Tensor:
    """One iteration: step the perturbation δ against the gradient's sign, then project it to ±ε and the value range.

    δ is carried, not the picture: a picture that is no integer would be rounded when it is stepped, and the clip to
    ± ε would then act one unit in the last place too early.
    """
    if not torch.isfinite(gradient).all():
        raise FloatingPointError(
            "The attack's gradient is not finite; the network or the loss overflows on this image."
        )
    delta = (delta - step * gradient.sign()).clamp(-epsilon, epsilon)
    if value_range is None:
        return delta
    low, high = value_range
    return torch.minimum(torch.maximum(delta, low - image), high - image)


def check_attack(
    image: torch.Tensor, epsilons: Sequence[float], step: float, value_range: tuple[float, float] | None
) -> None:
    """Raise an ``InputError`` for intensities, a step or a picture that the attack is not defined for."""
    if not isinstance(epsilons, Sequence):
        raise InputError(f"epsilons: a list of intensities in grey levels is needed, got {epsilons!r}.")
    if any(not epsilon > 0 for epsilon in epsilons):
        raise InputError(f"epsilons: every intensity must be above 0 grey levels, got {list(epsilons)}.")
    if any(math.isinf(number) for number in (*epsilons, step)):
        raise InputError(f"epsilons and step must be finite, got {list(epsilons)} and {step}.")
    if any(larger <= smaller for smaller, larger in zip(epsilons, epsilons[1:])):  # noqa: B905
        raise InputError(f"epsilons: the intensities must rise and not repeat, got {list(epsilons)}.")
    if not step > 0:
        raise InputError(f"step: the step size must be above 0 grey levels, got {step}.")
    if value_range is not None and not (len(value_range) == 2 and value_range[0] < value_range[1]):
        raise InputError(f"value_range: two grey levels are needed, the lower one first, or null, got {value_range}.")
    if value_range is not None and image.numel():
        low, high = value_range
        lowest, highest = image.min().item(), image.max().item()
        if not (low <= lowest and highest <= high):
            raise InputError(
                f"image: grey levels from {lowest} to {highest} leave the value range {low} to {high}; "
                "give the picture in grey levels of 0 to 255."
            )
