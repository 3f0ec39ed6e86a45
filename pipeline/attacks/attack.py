# SPDX-License-Identifier: Apache-2.0
"""What every attack is called with and gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from .attacked_network import AttackedNetwork

__all__ = ["Attack", "ContinuingAttack"]


class Attack(Protocol):
    """An attack: an object that holds its settings as plain attributes, by which ``attack_identity`` knows it.

    It asks ``attacked`` for what it needs of the network. Grey levels and intensities are those of 0 to 255. It must
    give the same pictures for the same image whatever else is in the batch, or a resumed sweep would differ.
    """

    def __call__(
        self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, epsilons: Sequence[float]
    ) -> dict[float, torch.Tensor]:
        """Return adversarial pictures for each ε.

        Args:
            attacked: what is attacked.
            picture: clean pictures (B, C, *spatial) in grey levels.
            label: their masks, as ``attacked.classes`` has them.
            epsilons: intensities ε, rising: the most that a grey level may change, counted in ``unit``.
        """

    @property
    def unit(self) -> float:
        """What ε counts, in grey levels of 255."""

    def check(self, epsilons: Sequence[float]) -> None:
        """Raise an ``InputError`` for intensities or settings that the attack is not defined for."""

    def steps(self, epsilon: float) -> int:
        """Return how many steps it takes at an ε."""

    def gradients(self, epsilons: Sequence[float]) -> int:
        """Return how many gradients it computes for each batch, which share them."""


class ContinuingAttack(Attack, Protocol):
    """An attack that can go on from pictures that were found before."""

    def __call__(
        self,
        attacked: AttackedNetwork,
        picture: torch.Tensor,
        label: torch.Tensor,
        epsilons: Sequence[float],
        start: torch.Tensor | None = None,
    ) -> dict[float, torch.Tensor]:
        """Return adversarial pictures for each ε, see ``Attack``.

        Args:
            attacked, picture, label, epsilons: see ``Attack``.
            start: pictures within the smallest ε from which the search begins.
        """
