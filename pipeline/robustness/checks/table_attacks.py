# SPDX-License-Identifier: Apache-2.0
"""What the attacks of a table of scores are, by the recipes behind their names."""

from __future__ import annotations

from pipeline.losses import GrowLoss, ShrinkLoss

from ..recipes import RECIPES
from ..scores import PAPER

__all__ = ["adds_only", "by_gradient", "takes_only"]


def by_gradient(attack: str) -> bool:
    """Return whether an attack follows the attacked network's gradients alone: the paper's, or one of a recipe."""
    return attack == PAPER or attack in RECIPES


def takes_only(attack: str) -> bool:
    """Return whether an attack takes foreground away and does nothing else: an empty mask leaves it no gradient."""
    return attack in RECIPES and isinstance(RECIPES[attack].loss, ShrinkLoss)


def adds_only(attack: str) -> bool:
    """Return whether an attack adds foreground and does nothing else: a full mask leaves it no gradient."""
    return attack in RECIPES and isinstance(RECIPES[attack].loss, GrowLoss)
