# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from pipeline.losses import Scheduled
from pipeline.utils import InputError

from .attacked_network import AttackedNetwork
from .grey_levels import Range, check_epsilons, check_picture, check_range, check_step, project
from .objective import SUMMED_CROSS_ENTROPY, Loss, Target, inverse_mask, objective
from .random_start import check_seed, uniform_noise

__all__ = ["PGD"]


class PGD:
    """Projected gradient descent from random starts (Madry et al., ICLR 2018); of each image the worst try counts.

    Each start is uniform within ± ε. What counts is DIC of the predicted mask at the end of each try, not the loss, and
    what was found for a smaller ε, which is allowed at a larger one too: DIC never rises with ε.

    Args:
        iterations: steps of each try.
        relative_step: size of a step, as a part of ε; 2.5 / iterations by default, so that a try can cross the ball.
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

    Example:
        >>> adversarial = PGD(iterations=40, restarts=2)(AttackedNetwork(network), 255 * image, label, [2.0, 8.0])
    """

    def __init__(
        self,
        iterations: int = 20,
        relative_step: float | None = None,
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
        self.relative_step = 2.5 / iterations if relative_step is None else relative_step
        self.restarts = restarts
        self.loss_function = SUMMED_CROSS_ENTROPY if loss_function is None else loss_function
        self.target = target
        self.value_range = value_range
        self.unit = unit
        self.seed = seed
        check_seed(seed)
        check_step(self.relative_step)
        check_range(value_range)

    def check(self, epsilons: Sequence[float]) -> None:
        check_epsilons(epsilons)

    def steps(self, epsilon: float) -> int:
        return self.restarts * self.iterations

    def gradients(self, epsilons: Sequence[float]) -> int:
        return len(epsilons) * self.restarts * self.iterations

    def __call__(
        self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, epsilons: Sequence[float]
    ) -> dict[float, torch.Tensor]:
        self.check(epsilons)
        check_picture(picture, self.value_range)
        worst = picture
        lowest = self._dic(attacked, picture, label)
        found = {}
        for epsilon in epsilons:
            for restart in range(self.restarts):
                tried = self._descend(attacked, picture, label, epsilon * self.unit, restart)
                dic = self._dic(attacked, tried, label)
                better = (dic < lowest).view(-1, *[1] * (picture.ndim - 1))
                worst, lowest = torch.where(better, tried, worst), torch.minimum(dic, lowest)
            found[epsilon] = worst
        return found

    def _descend(
        self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, reach: float, restart: int
    ) -> torch.Tensor:
        lowered = objective(attacked, label, self.loss_function, self.target)
        start = reach * uniform_noise(picture, self.seed, restart)
        delta = project(start, picture, reach, self.value_range)
        for step in range(self.iterations):
            loss = functools.partial(lowered, progress=step / self.iterations)
            _, gradient = attacked.value_and_gradient(picture + delta, loss)
            delta = project(delta - self.relative_step * reach * gradient.sign(), picture, reach, self.value_range)
        return picture + delta

    def _dic(self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return attacked.scores(attacked.predict(picture, label), label)[:, 0]
