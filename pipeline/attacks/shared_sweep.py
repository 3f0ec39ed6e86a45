# SPDX-License-Identifier: Apache-2.0
"""Iterative FGSM at many intensities that share their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from .grey_levels import Range, check_epsilons, check_picture, check_range, check_step, project

__all__ = ["PAPER_EPSILONS", "Gradient", "num_gradients", "num_iterations", "shared_sweep"]

PAPER_EPSILONS = (0.5, 1.0, *(float(epsilon) for epsilon in range(2, 33, 2)))

Gradient = Callable[[torch.Tensor], torch.Tensor]


def num_iterations(epsilon: float) -> int:
    """Return min(ε + 4, ⌈1.25 ε⌉) for an intensity ε in grey levels, rounded up where ε is fractional."""
    return math.ceil(min(epsilon + 4, 1.25 * epsilon))


def shared_sweep(
    gradient: Gradient,
    image: torch.Tensor,
    epsilons: Sequence[float],
    step: float = 1.0,
    *,
    iterations: Callable[[float], int] = num_iterations,
    value_range: Range = (0.0, 255.0),
) -> dict[float, torch.Tensor]:
    """Attack with iterative FGSM at many intensities at once, bitwise equal to one attack for each.

    With a fixed step and a clean start, the clip to ± ε cannot act in the first ⌊ε/α⌋ iterations: these iterates, and
    the gradient at the last of them, are the same for every larger ε. They are computed once, and each ε branches off
    where its clip first acts. The paper's 18 intensities need 69 gradients instead of 327.

    Equality holds wherever the same call of ``gradient`` gives the same bits: on the CPU, and on CUDA with
    deterministic algorithms. ``gradient`` must not depend on anything but the picture (no dropout, no random start).

    Args:
        gradient: from pictures in grey levels to the gradient, of the same shape, of the loss that the attack lowers.
        image: clean pictures (B, C, *spatial) in grey levels, within ``value_range``.
        epsilons: intensities ε in grey levels, above 0 and rising.
        step: α, the change of a pixel in one iteration in grey levels.
        iterations: from ε to the number of iterations.
        value_range: lowest and highest grey level; None leaves the picture unbounded.

    Returns:
        For each ε the adversarial pictures (B, C, *spatial) in grey levels.

    Raises:
        InputError: if an ε or α is not above 0, the intensities do not rise, or a pixel is outside ``value_range``.
    """
    check_epsilons(epsilons)
    check_step(step)
    check_range(value_range)
    check_picture(image, value_range)
    plans = [(epsilon, *_plan(epsilon, step, iterations, image.dtype)) for epsilon in epsilons]
    # in the order in which they leave the shared path, those that end there before those that go on
    pending = sorted(plans, key=lambda plan: plan[1:])
    adversarial: dict[float, torch.Tensor] = {}
    delta = torch.zeros_like(image)
    iteration = 0
    while pending:
        while pending and pending[0][1] == pending[0][2] == iteration:
            adversarial[pending.pop(0)[0]] = image + delta
        if not pending:
            break
        shared = gradient(image + delta)
        while pending and pending[0][1] == iteration:
            epsilon, _, total = pending.pop(0)
            tail = _step(delta, shared, image, epsilon, step, value_range)
            for _ in range(total - iteration - 1):
                tail = _step(tail, gradient(image + tail), image, epsilon, step, value_range)
            adversarial[epsilon] = image + tail
        if pending:
            delta = _step(delta, shared, image, pending[-1][0], step, value_range)
        iteration += 1
    return {epsilon: adversarial[epsilon] for epsilon in epsilons}


def num_gradients(
    epsilons: Sequence[float], step: float = 1.0, iterations: Callable[[float], int] = num_iterations
) -> int:
    """Return how many gradients ``shared_sweep`` computes for float32 pictures: 69 for the paper's intensities."""
    plans = [_plan(epsilon, step, iterations, torch.float32) for epsilon in epsilons]
    trunk = max((min(shared + 1, total) for shared, total in plans), default=0)
    return trunk + sum(max(total - shared - 1, 0) for shared, total in plans)


def _step(
    delta: torch.Tensor,
    gradient: torch.Tensor,
    image: torch.Tensor,
    epsilon: float,
    step: float,
    value_range: Range,
) -> torch.Tensor:
    """One iteration: step the perturbation δ against the gradient's sign, then project it to ±ε and the value range.

    δ is carried, not the picture: a picture with fractional levels would be rounded when it is stepped, and the clip to
    ± ε would then act one unit in the last place too early.
    """
    return project(delta - step * gradient.sign(), image, epsilon, value_range)


def _plan(epsilon: float, step: float, iterations: Callable[[float], int], dtype: torch.dtype) -> tuple[int, int]:
    """Return after how many iterations ε leaves the shared path, and how many it has in all.

    The largest |δ| after t iterations is the step added up t times. Rounding is monotone, so that sum, rounded as the
    tensors round, bounds every |δ|, and while it is not above ε the clip changes no bit.
    """
    total = iterations(epsilon)
    limit = torch.tensor(epsilon, dtype=dtype)
    bound, shared = torch.tensor(step, dtype=dtype), 0
    while shared < total and bound <= limit:
        shared += 1
        bound = bound + step
    return shared, total
