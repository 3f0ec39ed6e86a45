# SPDX-License-Identifier: Apache-2.0
"""The losses of the battery: they differ in which pixels pull, where to, and whether pixels are coupled."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.attacks import PGD, GradientAttack
from pipeline.attacks.objective import Loss, Target, inverse_mask
from pipeline.losses import (
    BalancedMaskedCrossEntropy,
    CosPGDLoss,
    GrowLoss,
    JensenShannon,
    Margin,
    MaskedCrossEntropy,
    Scheduled,
    SegPGDSchedule,
    ShrinkLoss,
    SoftDice,
    Tsallis,
    TsallisSweep,
)
from pipeline.utils import InputError

__all__ = ["RECIPES", "Recipe", "check_losses"]


@dataclass(frozen=True)
class Recipe:
    """A loss, where it drives the network, and how it is searched.

    Attributes:
        what: one sentence for the report.
        loss: from logits and masks to a number for each image.
        target: from the true masks to those that the network is driven towards; None for away from the true ones.
        search: makes the attack of ``iterations``, ``loss_function``, ``target``, ``relative_step`` and ``seed``.
    """

    what: str
    loss: Loss | Scheduled
    target: Target | None = None
    search: Callable[..., GradientAttack] = functools.partial(PGD, cosine=True)

    def attack(self, iterations: int, **settings: Any) -> GradientAttack:
        """Return the attack with this loss; ``settings`` are those of ``search``."""
        return self.search(iterations, loss_function=self.loss, target=self.target, **settings)


# a further one is one line here, and its steps in a budget
RECIPES = {
    "dice": Recipe("away from the mask by soft Dice, which couples the pixels", SoftDice()),
    "cross-entropy": Recipe("away from the mask by cross-entropy; wrong pixels pull most", Tsallis(1.0)),
    "inversion": Recipe("towards the inverse mask by cross-entropy, the paper's loss", Tsallis(1.0), inverse_mask),
    "margin": Recipe("away from the mask by the margin; all pixels pull alike", Margin()),
    "masked": Recipe("by cross-entropy of the pixels that are still right (SEA)", MaskedCrossEntropy()),
    "balanced": Recipe("the same, every class weighing as much as another (SEA)", BalancedMaskedCrossEntropy()),
    "jensen-shannon": Recipe("by Jensen-Shannon divergence; sure pixels hardly pull (SEA)", JensenShannon()),
    "segpgd": Recipe("by cross-entropy, ever more of it on wrong pixels (SegPGD)", SegPGDSchedule()),
    "cospgd": Recipe("by cross-entropy weighed by the cosine of prediction and mask (CosPGD)", CosPGDLoss()),
    "tsallis": Recipe("by Tsallis entropies whose order rises with the steps (TsallisPGD)", TsallisSweep()),
    "shrink": Recipe("takes foreground away, adds none", ShrinkLoss()),
    "grow": Recipe("adds foreground, takes none away", GrowLoss()),
}


def check_losses(names: Iterable[str], setting: str) -> None:
    """Refuse names that are none of ``RECIPES``.

    Args:
        names: of losses.
        setting: what names them, the beginning of the message.

    Raises:
        InputError: if there is no such loss; the message names those that there are.
    """
    for name in names:
        if name not in RECIPES:
            raise InputError(f"{setting}: there is no loss '{name}'; there are {', '.join(RECIPES)}.")
