# SPDX-License-Identifier: Apache-2.0
"""Does what a network says about a picture depend on the other pictures of its batch?"""

from __future__ import annotations

import torch

from .check import CheckResult, not_repeatable
from .evidence import Evidence
from .outputs import SAME, change, output_of

__all__ = ["BatchIndependence"]


class BatchIndependence:
    """A picture alone gives the logits that it gives in a batch: no batch normalization in training mode.

    The value is the share of pixels whose class changes. A picture that is the only one is put beside its negative.

    Example:
        >>> BatchIndependence()(evidence).status
        'passed'
    """

    name = "results do not depend on the batch"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, pictures = evidence.attacked, evidence.picture
        if evidence.is_random:
            return not_repeatable(self.name)
        batch = torch.cat([pictures, 255 - pictures])
        together = output_of(attacked, batch)[: len(pictures)]
        alone = torch.cat([output_of(attacked, picture.unsqueeze(0)) for picture in pictures])
        share = (attacked.classes.decide(alone) != attacked.classes.decide(together)).double().mean().item()
        if change(alone, together) <= SAME:
            return CheckResult(self.name, "passed", share, "A picture gives the same mask alone and in a batch.")
        return CheckResult(
            self.name,
            "failed",
            share,
            f"In another batch {share:.1%} of the pixels change their class: figures depend on which pictures were "
            "attacked together, and none of them holds for a picture alone.",
        )
