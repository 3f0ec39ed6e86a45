# SPDX-License-Identifier: Apache-2.0
"""Does what a network says depend on the pictures that it has seen before?"""

from __future__ import annotations

import torch

from ..copy_network import copy_network
from .check import CheckResult, not_repeatable
from .evidence import Evidence
from .outputs import SAME, change, output_of

__all__ = ["EarlierPictures"]


class EarlierPictures:
    """After all attacks the network gives the logits that a copy gives which has not seen any picture.

    Both get the pictures with noise of the largest ε, which no attack has tried. A network that keeps earlier answers,
    or averages over earlier pictures, gives something else. The value is the largest difference as a part of the
    logits' spread.

    Example:
        >>> EarlierPictures()(evidence).status
        'not applicable'
    """

    name = "answers do not depend on earlier pictures"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked = evidence.attacked
        # again a copy, so that this pass is its first one each time
        fresh = None if evidence.fresh is None else copy_network(evidence.fresh)
        if fresh is None:
            return CheckResult(self.name, "not applicable", None, "There is no copy from before the attacks.")
        if evidence.is_random:
            return not_repeatable(self.name)
        noise = torch.rand(evidence.picture.shape, generator=torch.Generator().manual_seed(1))
        pictures = (evidence.picture + evidence.epsilons[-1] * (2 * noise - 1).to(evidence.picture)).clamp(0, 255)
        value = change(output_of(attacked.like(fresh), pictures), output_of(attacked, pictures))
        if value <= SAME:
            return CheckResult(
                self.name, "passed", value, "The attacked network and a copy from before the attacks give the same."
            )
        return CheckResult(
            self.name,
            "failed",
            value,
            f"After the attacks, logits differ by {value:.2g} times their spread from those of a copy that has seen no "
            "picture: the network keeps something of the pictures that it is shown, and figures depend on their order.",
        )
