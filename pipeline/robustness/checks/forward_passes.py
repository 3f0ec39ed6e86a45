# SPDX-License-Identifier: Apache-2.0
"""Does the network answer the same picture twice alike?"""

from __future__ import annotations

from .check import CheckResult, Evidence
from .probe import SAME, change, output_of

__all__ = ["ForwardPasses"]


class ForwardPasses:
    """Three forward passes of the same pictures give the same logits: no dropout, no random front end.

    The value is the share of pixels whose class changes.

    Example:
        >>> ForwardPasses()(evidence).status
        'passed'
    """

    name = "forward passes agree"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked = evidence.attacked
        first, *others = (output_of(attacked, evidence.picture) for _ in range(3))
        classes = attacked.classes.decide(first)
        share = max((attacked.classes.decide(other) != classes).double().mean().item() for other in others)
        if max(change(first, other) for other in others) <= SAME:
            return CheckResult(self.name, "passed", share, "The same picture gives the same mask each time.")
        return CheckResult(
            self.name,
            "failed",
            share,
            f"The same picture gives other logits each time, and another class at {share:.1%} of the pixels: the "
            "network is random, gradients of one pass do not fit the next, and each figure is one draw of many.",
        )
