# SPDX-License-Identifier: Apache-2.0
"""Projected Adam with a step that falls like a cosine."""

from __future__ import annotations

import math
from typing import Any

import torch

from .gradient_attack import Ball, GradientAttack
from .grey_levels import check_step

__all__ = ["ProjectedAdam"]


class ProjectedAdam(GradientAttack):
    """Adam (Kingma and Ba, ICLR 2015) inside the ball, its step falling to 0 like half a cosine.

    Unlike the sign, it moves pixels by how reliably their gradients point one way.

    Args:
        iterations: steps of each try.
        relative_step: size of the first step, as a part of ε.
        betas: decay of the averages of the gradient and of its square.
        settings: those of :class:`GradientAttack`.

    Raises:
        InputError: see :class:`GradientAttack`; if the step is not above 0.

    Example:
        >>> adversarial = ProjectedAdam(10, loss_function=SoftDice(), target=None)(attacked, picture, label, [8.0])
    """

    def __init__(
        self,
        iterations: int = 20,
        relative_step: float = 0.5,
        betas: tuple[float, float] = (0.9, 0.99),
        **settings: Any,
    ) -> None:
        super().__init__(iterations, **settings)
        self.relative_step = relative_step
        self.betas = betas
        check_step(relative_step)

    def descend(self, ball: Ball, delta: torch.Tensor) -> torch.Tensor:
        mean, square = torch.zeros_like(delta), torch.zeros_like(delta)
        first, second = self.betas
        for step in range(self.iterations):
            progress = step / self.iterations
            gradient = ball.look(delta, progress).gradient
            # of each image by its own scale: Adam's small constant would drown small gradients
            scale = gradient.flatten(1).abs().amax(1).clamp(min=torch.finfo(gradient.dtype).tiny)
            gradient = gradient / scale.view(-1, *[1] * (gradient.ndim - 1))
            mean = first * mean + (1 - first) * gradient
            square = second * square + (1 - second) * gradient.square()
            direction = mean / (1 - first ** (step + 1)) / ((square / (1 - second ** (step + 1))).sqrt() + 1e-8)
            size = self.relative_step * ball.reach * (1 + math.cos(math.pi * progress)) / 2
            delta = ball.project(delta - size * direction)
        return delta
