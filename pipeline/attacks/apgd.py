# SPDX-License-Identifier: Apache-2.0
"""Auto-PGD with a radius that shrinks to ε, as SEA runs it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch

from pipeline.utils import InputError

from .gradient_attack import Ball, GradientAttack

__all__ = ["APGD"]


class APGD(GradientAttack):
    """Auto-PGD (Croce and Hein, ICML 2020) in SEA's form (Croce et al., ECCV 2024).

    The steps have momentum and each image its own step size, which begins at twice the radius and is halved where the
    loss no longer falls; the search goes on from the image's best point then. In three parts of the steps the ball has
    a radius of 2 ε, 1.5 ε and ε; only the last finds pictures that count. A point in a wider ball is often beyond what
    stops the search in the narrow one.

    Args:
        iterations: steps of each try.
        radii: radius of each part, as a part of ε, above 0; the last must be 1.
        parts: part of the steps for each radius, above 0; together they are 1. The last has two steps at least.
        settings: those of :class:`GradientAttack`; the loss must give one number for each image.

    Raises:
        InputError: see :class:`GradientAttack`; if radii or parts are not as above, and, in a call, if the loss does
            not give one number for each image.

    Example:
        >>> adversarial = APGD(iterations=10, loss_function=SoftDice(), target=None)(attacked, picture, label, [8.0])
    """

    def __init__(
        self,
        iterations: int = 100,
        radii: tuple[float, ...] = (2.0, 1.5, 1.0),
        parts: tuple[float, ...] = (0.3, 0.3, 0.4),
        **settings: Any,
    ) -> None:
        super().__init__(iterations, **settings)
        if len(radii) != len(parts) or not radii or radii[-1] != 1 or not all(radius > 0 for radius in radii):
            raise InputError(
                "radii and parts: each radius must be above 0 and needs a part, and the last radius must be 1, got "
                f"{radii}, {parts}."
            )
        if not all(part > 0 for part in parts) or not math.isclose(sum(parts), 1):
            raise InputError(f"parts: each must be above 0, and their sum must be 1, got {parts}.")
        self.radii = radii
        self.parts = parts
        done, until = self._phases()[-1]
        if until - done < 2:
            raise InputError(
                f"APGD: iterations: {iterations} in {len(parts)} parts leave no step that moves in the last; give more."
            )

    def descend(self, ball: Ball, delta: torch.Tensor) -> torch.Tensor:
        for radius, (done, until) in zip(self.radii, self._phases(), strict=True):
            if until > done:
                delta = self._phase(ball, delta, radius, done, until)
        return delta

    def _phases(self) -> list[tuple[int, int]]:
        """The steps of each radius, from and until; the first step of each looks where it begins."""
        ends = [round(sum(self.parts[:number]) * self.iterations) for number in range(1, len(self.parts))]
        return list(pairwise([0, *ends, self.iterations]))

    def _phase(self, ball: Ball, delta: torch.Tensor, radius: float, done: int, until: int) -> torch.Tensor:
        """The steps from ``done`` to ``until`` in one radius; returns the point of the lowest loss."""
        steps, reach = until - done, radius * ball.reach
        checkpoints = _checkpoints(steps)
        delta = ball.project(delta, reach)
        value, gradient = self._look(ball, delta, done, radius)
        best, best_value, best_gradient = delta, value, gradient
        previous = delta
        size = torch.full_like(value, 2.0)  # as a part of the reach
        fell = torch.zeros_like(value)
        size_before, best_before = size, best_value
        since = 0
        for step in range(1, steps):
            forward = ball.project(delta - _each(size, delta) * reach * gradient.sign(), reach)
            momentum = 1.0 if step == 1 else 0.75
            moved = delta + momentum * (forward - delta) + (1 - momentum) * (delta - previous)
            previous, delta = delta, ball.project(moved, reach)
            before = value
            value, gradient = self._look(ball, delta, done + step, radius)
            fell = fell + (value < before)
            better = value < best_value
            best, best_gradient = (
                torch.where(_each(better, delta), new, old) for new, old in ((delta, best), (gradient, best_gradient))
            )
            best_value = torch.minimum(value, best_value)
            since += 1
            if step in checkpoints:
                stuck = (fell < 0.75 * since) | ((size == size_before) & (best_value == best_before))
                size_before, best_before = size, best_value
                size = torch.where(stuck, size / 2, size)
                delta, gradient = (
                    torch.where(_each(stuck, delta), old, new)
                    for old, new in ((best, delta), (best_gradient, gradient))
                )
                fell, since = torch.zeros_like(fell), 0
        return best

    def _look(self, ball: Ball, delta: torch.Tensor, step: int, radius: float) -> tuple[torch.Tensor, torch.Tensor]:
        value, gradient, *_ = ball.look(delta, step / self.iterations, counts=radius <= 1)
        if value.ndim == 0 or value.numel() % len(delta):
            raise InputError("APGD: the loss must give one number for each image, as those of pipeline.losses do.")
        # of labels that may overlap there is one number for each label
        return value.view(len(delta), -1).sum(1), gradient


def _checkpoints(steps: int) -> set[int]:
    """After which steps the step sizes are looked at: after .22 of them, then ever sooner, by .03 down to .06."""
    found, position, period = set(), 0, max(int(0.22 * steps), 1)
    while position + period < steps:
        position += period
        found.add(position)
        period = max(period - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
    return found


def _each(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return value.view(-1, *[1] * (like.ndim - 1))
