# SPDX-License-Identifier: Apache-2.0
"""Is the network that is attacked the one that is scored?"""

from __future__ import annotations

import torch

from .check import CheckResult, not_repeatable
from .evidence import Evidence
from .outputs import SAME, change, output_of

__all__ = ["GradientMode"]


class GradientMode:
    """Logits while a gradient is computed are those without it: the network does not notice that it is attacked.

    The value is the largest difference as a part of the logits' spread.

    Example:
        >>> GradientMode()(evidence).status
        'passed'
    """

    name = "same logits with and without gradients"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, seen = evidence.attacked, []

        def loss(logits: torch.Tensor) -> torch.Tensor:
            seen.append(logits.detach())
            return logits.sum()

        if evidence.is_random:
            return not_repeatable(self.name)
        scored = attacked.classes.logits(output_of(attacked, evidence.picture))
        attacked.value_and_gradient(evidence.picture, loss)
        value = change(scored, seen[0])
        if value <= SAME:
            return CheckResult(self.name, "passed", value, "The attacked network gives the logits that are scored.")
        return CheckResult(
            self.name,
            "failed",
            value,
            f"While gradients are computed, logits differ by {value:.2g} times their spread from those that are scored:"
            " attacks are led by another network, and their figures are too high.",
        )
