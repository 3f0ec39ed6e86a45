# SPDX-License-Identifier: Apache-2.0
"""Attacks for adversarial training, by the names that the battery gives to its losses."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.attacks import PGD
from pipeline.robustness import RECIPES, check_losses
from pipeline.utils import InputError

__all__ = ["loss_attacks"]


def loss_attacks(losses: Sequence[str], iterations: int = 3) -> list[PGD]:
    """Return projected gradient descent with each of the losses, for ``AdversarialBatch`` to draw from.

    Args:
        losses: names of the battery's losses, see ``pipeline.robustness.RECIPES``.
        iterations: steps of each attack, of 2.5 ε / iterations.

    Raises:
        InputError: if a name is not one of them, or there is none.

    Example:
        >>> [type(attack).__name__ for attack in loss_attacks(["dice", "shrink"])]
        ['PGD', 'PGD']
    """
    if not losses:
        raise InputError(f"losses: name some of {', '.join(RECIPES)}, got none.")
    check_losses(losses, "losses")
    return [PGD(iterations, loss_function=RECIPES[name].loss, target=RECIPES[name].target) for name in losses]
