# SPDX-License-Identifier: Apache-2.0
"""An attack by the gradients of another network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .attack import Attack
from .attacked_network import AttackedNetwork
from .worst_found import WorstFound

__all__ = ["Transfer"]


class Transfer:
    """An attack on a surrogate whose pictures are then given to the attacked network: masked gradients don't stop it.

    Args:
        surrogate: a network for the same task, on the same device, such as one that was trained with another seed.
        attack: how it is attacked.

    Example:
        >>> adversarial = Transfer(surrogate, PGD(iterations=10))(attacked, picture, label, [2.0, 8.0])
    """

    def __init__(self, surrogate: nn.Module, attack: Attack) -> None:
        self.surrogate = surrogate
        self.attack = attack

    @property
    def unit(self) -> float:
        return self.attack.unit

    def check(self, epsilons: Sequence[float]) -> None:
        self.attack.check(epsilons)

    def steps(self, epsilon: float) -> int:
        return self.attack.steps(epsilon)

    def gradients(self, epsilons: Sequence[float]) -> int:
        return self.attack.gradients(epsilons)

    def __call__(
        self,
        attacked: AttackedNetwork,
        picture: torch.Tensor,
        label: torch.Tensor,
        epsilons: Sequence[float],
        start: torch.Tensor | None = None,
    ) -> dict[float, torch.Tensor]:
        """Attack; see ``Attack``. ``start``: pictures within the smallest ε that count as found."""
        worst = WorstFound(attacked, picture, label)
        if start is not None:
            worst.offer(start)
        found = {}
        for epsilon, moved in self.attack(attacked.like(self.surrogate), picture, label, epsilons).items():
            worst.offer(moved)
            found[epsilon] = worst.picture
        return found
