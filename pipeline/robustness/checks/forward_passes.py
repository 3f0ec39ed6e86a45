# SPDX-License-Identifier: Apache-2.0
"""Does the network answer the same picture twice alike?"""

from __future__ import annotations

from .check import CheckResult
from .evidence import Evidence

__all__ = ["ForwardPasses"]


class ForwardPasses:
    """16 forward passes of the same pictures give the same logits: no dropout, no random front end.

    The value is the share of pixels whose class changes.

    Example:
        >>> ForwardPasses()(evidence).status
        'passed'
    """

    name = "forward passes agree"

    def __call__(self, evidence: Evidence) -> CheckResult:
        share = evidence.repeated.share
        if not evidence.is_random:
            return CheckResult(self.name, "passed", share, "The same picture gives the same mask each time.")
        return CheckResult(
            self.name,
            "failed",
            share,
            f"The same picture does not give the same logits each time, but another class at up to {share:.1%} of "
            "the pixels: gradients of one pass do not fit the next, and each figure is one draw of many.",
        )
