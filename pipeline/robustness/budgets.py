# SPDX-License-Identifier: Apache-2.0
"""How much the battery may spend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.attacks import PAPER_EPSILONS
from pipeline.utils import InputError

from .recipes import check_losses

__all__ = ["BUDGETS", "Budget", "budget_epsilons", "find_budget"]


@dataclass(frozen=True)
class Budget:
    """How much the battery may spend.

    Attributes:
        epsilons: intensities ε in grey levels, rising.
        steps: for each recipe the gradients at each ε.
        refinement: gradients of the refinement at each ε; what does not help at one is spent at a larger one.
        refinement_part: gradients of its first part; later ones are longer.
        queries: forward passes of the square attack at each ε.
        checked: images that the checks look at.

    Raises:
        InputError: if a recipe does not exist; the message names those that do.
    """

    epsilons: tuple[float, ...]
    steps: Mapping[str, int]
    refinement: int = 0
    refinement_part: int = 1
    queries: int = 0
    checked: int = 4

    def __post_init__(self) -> None:
        check_losses(self.steps, "Budget: steps")


_FEW = ("inversion", "margin", "masked", "jensen-shannon", "segpgd", "cospgd", "tsallis", "grow")

# dice, balanced and shrink find most on networks that were trained to resist, cross-entropy and dice on others
BUDGETS = {
    "quick": Budget((2.0, 8.0, 32.0), {"dice": 7, "cross-entropy": 3, "balanced": 3, "shrink": 3}, 4, 4, 10, 2),
    "standard": Budget(
        (2.0, 4.0, 8.0, 16.0, 32.0),
        {"dice": 12, "cross-entropy": 8, "balanced": 10, "shrink": 8, **dict.fromkeys(_FEW, 4)},
        42,
        14,
        50,
        4,
    ),
    "full": Budget(
        PAPER_EPSILONS,
        {"dice": 15, "cross-entropy": 10, "balanced": 15, "shrink": 10, **dict.fromkeys(_FEW, 5)},
        84,
        21,
        100,
        8,
    ),
}


def find_budget(name: str) -> Budget:
    """Return the budget of a name.

    Raises:
        InputError: if there is none.
    """
    if name not in BUDGETS:
        raise InputError(f"budget: there is no '{name}'; name one of {', '.join(BUDGETS)}.")
    return BUDGETS[name]


def budget_epsilons(name: str) -> list[float]:
    """Return the intensities of a budget, see :func:`find_budget`."""
    return list(find_budget(name).epsilons)
