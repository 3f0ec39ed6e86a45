# SPDX-License-Identifier: Apache-2.0
"""Projected gradient descent along the gradient's sign."""

from __future__ import annotations

import math
from typing import Any

import torch

from .gradient_attack import Ball, GradientAttack
from .grey_levels import check_step

__all__ = ["PGD"]


class PGD(GradientAttack):
    """Projected gradient descent from random starts (Madry et al., ICLR 2018).

    Args:
        iterations: steps of each try.
        relative_step: size of a step, as a part of ε; 2.5 / iterations by default, so that a try can cross the ball.
        cosine: let the step fall from ``relative_step`` to 0 like half a cosine: it crosses the ball first and settles
            then.
        settings: those of :class:`GradientAttack`.

    Raises:
        InputError: see :class:`GradientAttack`; if the step is not above 0.

    Example:
        >>> adversarial = PGD(iterations=10, restarts=2)(attacked, picture, label, [2.0, 8.0])
    """

    def __init__(
        self, iterations: int = 20, relative_step: float | None = None, cosine: bool = False, **settings: Any
    ) -> None:
        super().__init__(iterations, **settings)
        self.relative_step = 2.5 / iterations if relative_step is None else relative_step
        self.cosine = cosine
        check_step(self.relative_step)

    def descend(self, ball: Ball, delta: torch.Tensor) -> torch.Tensor:
        for step in range(self.iterations):
            progress = step / self.iterations
            size = self.relative_step * ball.reach * ((1 + math.cos(math.pi * progress)) / 2 if self.cosine else 1)
            delta = ball.project(delta - size * ball.look(delta, progress).gradient.sign())
        return delta
