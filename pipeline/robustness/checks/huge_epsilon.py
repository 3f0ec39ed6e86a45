# SPDX-License-Identifier: Apache-2.0
"""Does an ε at which every picture can become plain grey break the network?"""

from __future__ import annotations

import torch

from pipeline.losses import Margin, ShrinkLoss

from .check import CheckResult
from .evidence import Evidence
from .probe import SOFT_DICE, descend, dic_of

__all__ = ["HugeEpsilon"]

EPSILON, STEPS = 128.0, 20
# where no floor is known
PART_OF_CLEAN = 0.5
CLEARLY = 0.01


class HugeEpsilon:
    """20 steps of soft Dice, margin or shrink at ε = 128 bring the mean DIC down to the best constant mask's on
    these pictures.

    There every picture can become plain grey, and no network can tell one from another. Without a floor, half of the
    clean DIC is the bound. A loss is tried where those before it were not enough. The value is the mean of the lowest
    DIC of each picture.

    Example:
        >>> HugeEpsilon()(evidence).status
        'passed'
    """

    name = "a huge ε breaks it"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, picture, label = evidence.attacked, evidence.picture, evidence.label
        bound = evidence.mean_floor(evidence.images)
        if bound is None:
            bound = PART_OF_CLEAN * dic_of(attacked, picture, label).mean().item()
        lowest, left = torch.tensor(torch.inf), torch.inf
        for loss in (SOFT_DICE, Margin(), ShrinkLoss()):
            found = dic_of(attacked, descend(attacked, picture, label, EPSILON, loss, STEPS), label)
            lowest = found.minimum(lowest.to(found))
            left = lowest.mean().item()
            if left <= bound + CLEARLY:
                break
        said = f"At ε = {EPSILON:g}, where every picture can become plain grey, gradients leave DIC {left:.3f}"
        if left <= bound + CLEARLY:
            return CheckResult(self.name, "passed", left, f"{said}, at most the bound of {bound:.3f}.")
        return CheckResult(
            self.name, "failed", left, f"{said}, above {bound:.3f}: they do not find what is there at any ε."
        )
