# SPDX-License-Identifier: Apache-2.0
"""The common part of attacks that follow a loss's gradient inside the ball of ± ε: starts, and what is kept."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from pipeline.losses import Scheduled
from pipeline.utils import InputError

from .attacked_network import AttackedNetwork, Slope
from .grey_levels import Range, Reach, check_epsilons, check_picture, check_range, project
from .objective import SUMMED_CROSS_ENTROPY, Loss, Target, inverse_mask, objective
from .random_start import check_seed, uniform_noise
from .worst_found import WorstFound

__all__ = ["Ball", "GradientAttack"]


class Ball:
    """The pictures around clean ones that an attack may try at one ε, and the loss that it lowers there.

    Args:
        attack: whose loss, target and range.
        attacked: the network.
        picture: clean pictures (B, C, *spatial) in grey levels.
        label: their masks.
        reach: ε in grey levels; a tensor (B, 1, *spatial of 1) for one of each image.
        keep: whether to keep the worst picture; otherwise no picture is scored.

    Attributes:
        worst: the worst picture of each image that was looked at within ± ``reach``; None before the first.
    """

    def __init__(
        self,
        attack: GradientAttack,
        attacked: AttackedNetwork,
        picture: torch.Tensor,
        label: torch.Tensor,
        reach: Reach,
        keep: bool = True,
    ) -> None:
        self.attacked = attacked
        self.picture = picture
        self.label = label
        self.reach = reach
        self.value_range = attack.value_range
        self.keep = keep
        self.worst: WorstFound | None = None
        self._lowered = objective(attacked, label, attack.loss_function, attack.target)

    def project(self, delta: torch.Tensor, radius: Reach | None = None) -> torch.Tensor:
        """Return the perturbation within ± ``radius`` (ε by default) and the range that is nearest to δ."""
        return project(delta, self.picture, self.reach if radius is None else radius, self.value_range)

    def look(self, delta: torch.Tensor, progress: float, counts: bool = True) -> Slope:
        """Return the loss at perturbation δ, to be lowered, and its gradient; keep the picture if it is the worst.

        Args:
            delta: perturbations (B, C, *spatial) in grey levels.
            progress: the part of the steps that are done, from 0 to 1.
            counts: whether δ is within ± ε, so that the picture may be kept.
        """
        picture = self.picture + delta
        slope = self.attacked.value_and_gradient(picture, functools.partial(self._lowered, progress=progress))
        if counts and self.keep:
            prediction = self.attacked.classes.decide(slope.output)
            if self.worst is None:
                self.worst = WorstFound(self.attacked, picture, self.label, prediction)
            else:
                self.worst.offer(picture, prediction)
        return slope


class GradientAttack(ABC):
    """An attack by gradients from random starts that keeps the worst picture of each image over all tries.

    What counts is DIC of the predicted mask, not the loss, and what was found for a smaller ε, which is allowed at a
    larger one too: DIC never rises with ε. A picture costs no pass of its own: the gradient's has predicted it, but
    for the last one of each try.

    Args:
        iterations: steps of each try.
        restarts: tries for each ε, from different random starts.
        loss_function: from logits and masks to the number that the attack lowers; the sum of the pixels'
            cross-entropies by default. A ``Scheduled`` one changes with the steps.
        target: see :func:`objective`; the paper's inverse mask by default, None for away from the true mask, which more
            than two classes need.
        value_range: the picture's grey levels are kept in it; None for no limit.
        unit: what ε counts, in grey levels of 255.
        seed: of the random starts.

    Raises:
        InputError: if a setting is out of range, and, in a call, see :func:`inverse_mask` and ``AttackedNetwork``.
        FloatingPointError: in a call, if the gradient is not finite.
    """

    def __init__(
        self,
        iterations: int = 20,
        restarts: int = 1,
        loss_function: Loss | Scheduled | None = None,
        target: Target | None = inverse_mask,
        value_range: Range = (0.0, 255.0),
        unit: float = 1.0,
        seed: int = 0,
    ) -> None:
        if iterations < 1 or restarts < 1:
            raise InputError(
                f"iterations and restarts: whole numbers of at least 1 are needed, got {iterations} and {restarts}."
            )
        self.iterations = iterations
        self.restarts = restarts
        self.loss_function = SUMMED_CROSS_ENTROPY if loss_function is None else loss_function
        self.target = target
        self.value_range = value_range
        self.unit = unit
        self.seed = seed
        check_seed(seed)
        check_range(value_range)

    def check(self, epsilons: Sequence[float]) -> None:
        check_epsilons(epsilons)

    def steps(self, epsilon: float) -> int:
        return self.restarts * self.iterations

    def gradients(self, epsilons: Sequence[float]) -> int:
        return len(epsilons) * self.restarts * self.iterations

    def __call__(
        self,
        attacked: AttackedNetwork,
        picture: torch.Tensor,
        label: torch.Tensor,
        epsilons: Sequence[float],
        start: torch.Tensor | None = None,
    ) -> dict[float, torch.Tensor]:
        """Attack; see ``Attack``.

        Args:
            attacked, picture, label, epsilons: see ``Attack``.
            start: pictures within the smallest ε from which the first try begins; a random one where an image's is its
                clean picture.
        """
        self.check(epsilons)
        check_picture(picture, self.value_range)
        worst = WorstFound(attacked, picture, label)
        found = {}
        for epsilon in epsilons:
            for restart in range(self.restarts):
                ball = Ball(self, attacked, picture, label, epsilon * self.unit)
                delta = self._start(picture, epsilon * self.unit, restart, start)
                last = self.descend(ball, ball.project(delta))
                assert ball.worst is not None  # at least one step was looked at
                ball.worst.offer(picture + ball.project(last))
                if attacked.precision is None:
                    worst.merge(ball.worst)
                else:  # only what the network predicts in its own precision counts
                    worst.offer(ball.worst.picture)
            found[epsilon] = worst.picture
        return found

    @abstractmethod
    def descend(self, ball: Ball, delta: torch.Tensor) -> torch.Tensor:
        """Look at ``iterations`` perturbations, from δ on, and return one more, the last."""

    def _start(self, picture: torch.Tensor, reach: float, restart: int, start: torch.Tensor | None) -> torch.Tensor:
        noise = reach * uniform_noise(picture, self.seed, restart)
        if start is None or restart:
            return noise
        delta = start - picture
        untouched = (delta.flatten(1) == 0).all(1).view(-1, *[1] * (picture.ndim - 1))
        return torch.where(untouched, noise, delta)
