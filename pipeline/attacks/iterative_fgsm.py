# SPDX-License-Identifier: Apache-2.0
"""The paper's attack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from pipeline.losses import Scheduled
from pipeline.utils import InputError

from .attacked_network import AttackedNetwork
from .grey_levels import Range, check_epsilons, check_range, check_step
from .objective import SUMMED_CROSS_ENTROPY, Loss, Target, inverse_mask, objective
from .shared_sweep import Gradient, num_gradients, num_iterations, shared_sweep

__all__ = ["IterativeFGSM"]


class IterativeFGSM:
    """The paper's attack: targeted iterative FGSM of a fixed step from the clean picture (He et al., equation 6).

    It goes towards the inverse mask, in min(ε + 4, ⌈1.25 ε⌉) iterations. All intensities share the iterations that are
    the same for them, see :func:`shared_sweep`: 69 gradients for the paper's 18, bitwise equal to 18 attacks.

    Args:
        step: α, the change of a pixel in one iteration, counted as ε is.
        value_range: the picture's grey levels are kept in it; None for equation 6 to the letter.
        loss_function: from logits and masks to the number that the attack lowers; the sum of the pixels'
            cross-entropies (equation 4) by default.
        target: see :func:`objective`; the inverse mask by default.
        iterations: from ε to the number of iterations.
        unit: what ε and α count, in grey levels of 255: 1 by default, 255 / 4095 for levels of 12 bits.

    Raises:
        InputError: if α is not above 0 or the range does not rise; in a call, for an ε that is not above 0 or a pixel
            out of range, and see :func:`inverse_mask` and ``AttackedNetwork``.
        FloatingPointError: in a call, if the gradient is not finite.

    Example:
        >>> adversarial = IterativeFGSM()(attacked, picture, label, PAPER_EPSILONS)
        >>> len(adversarial)
        18
    """

    def __init__(
        self,
        step: float = 1.0,
        value_range: Range = (0.0, 255.0),
        loss_function: Loss | None = None,
        target: Target | None = inverse_mask,
        iterations: Callable[[float], int] = num_iterations,
        unit: float = 1.0,
    ) -> None:
        self.step = step
        self.value_range = value_range
        self.loss_function = SUMMED_CROSS_ENTROPY if loss_function is None else loss_function
        self.target = target
        self.iterations = iterations
        self.unit = unit
        check_step(step)
        check_range(value_range)
        if isinstance(loss_function, Scheduled):
            raise InputError(
                "IterativeFGSM: the intensities share their steps, so the loss cannot change with them; use PGD."
            )

    def check(self, epsilons: Sequence[float]) -> None:
        check_epsilons(epsilons)

    def steps(self, epsilon: float) -> int:
        return self.iterations(epsilon)

    def gradients(self, epsilons: Sequence[float]) -> int:
        reaches, iterations = self._reaches(epsilons)
        return num_gradients(list(reaches), self.step * self.unit, iterations)

    def __call__(
        self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, epsilons: Sequence[float]
    ) -> dict[float, torch.Tensor]:
        reaches, iterations = self._reaches(epsilons)
        found = shared_sweep(
            self.gradient(attacked, label),
            picture,
            list(reaches),
            self.step * self.unit,
            iterations=iterations,
            value_range=self.value_range,
        )
        return {epsilon: found[reach] for reach, epsilon in reaches.items()}

    def gradient(self, attacked: AttackedNetwork, label: torch.Tensor) -> Gradient:
        """Return the gradient that the attack follows, from pictures in grey levels."""
        loss = objective(attacked, label, self.loss_function, self.target)
        return lambda picture: attacked.value_and_gradient(picture, loss)[1]

    def _reaches(self, epsilons: Sequence[float]) -> tuple[dict[float, float], Callable[[float], int]]:
        """The intensities by their reach in grey levels, and from a reach to the number of iterations."""
        # by the scaled value itself: dividing it again could round 1.25 ε over a whole number
        reaches = {epsilon * self.unit: epsilon for epsilon in epsilons}
        return reaches, lambda reach: self.iterations(reaches[reach])
