# SPDX-License-Identifier: Apache-2.0
"""Does the network give logits, or something bounded in their place?"""

from __future__ import annotations

import torch

from .check import CheckResult
from .evidence import Evidence
from .outputs import output_of

__all__ = ["OutputIsLogits"]

# of the largest margin of a class: what is within it is at the bound
AT_BOUND = 0.98
TOO_MANY = 0.5
# a class that is predicted at fewer pixels is not asked
RARE = 0.005


class OutputIsLogits:
    """The output are logits: neither probabilities nor numbers that a softmax, a clamp or the like keeps at a bound.

    Probabilities are from 0 to 1, or, when they are scaled, from 0 up with the same sum everywhere. At the bound is a
    pixel whose margin is within 2 % of the largest one that its class has; each class that is predicted must have half
    of its pixels there, since empty background alone may honestly look the same everywhere. The value is the smallest
    share of a class's pixels at the bound, 1 for probabilities.

    Example:
        >>> OutputIsLogits()(evidence).status
        'passed'
    """

    name = "output is logits"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked = evidence.attacked
        output = output_of(attacked, torch.cat([evidence.picture, 255 - evidence.picture]))
        if output.amin() >= 0 and (output.amax() <= 1 or _same_sums(output)):
            return CheckResult(
                self.name,
                "failed",
                1.0,
                "The network gives probabilities where logits are needed, a softmax or a sigmoid being inside: losses "
                "take a second one, with hardly any gradient where the network is sure, and a label is on wherever its "
                "number is above 0.",
            )
        share = _at_bound(attacked.classes.logits(output[: len(evidence.picture)]))
        if share <= TOO_MANY:
            said = f"Of one class only {share:.0%} of the pixels are at the largest margin: nothing bounds the output."
            return CheckResult(self.name, "passed", share, said)
        return CheckResult(
            self.name,
            "failed",
            share,
            f"Of each class at least {share:.0%} of the pixels are at the largest margin: something bounds the output, "
            "and attacks have hardly any gradient where the network is sure.",
        )


def _same_sums(output: torch.Tensor) -> bool:
    sums = output.sum(1)
    return output.shape[1] > 1 and bool((sums.amax() - sums.amin() < 1e-3 * sums.amax()).item())


def _at_bound(logits: torch.Tensor) -> float:
    largest, second = logits.topk(2, 1).values.unbind(1)
    margins, predicted = largest - second, logits.argmax(1)
    of_classes = [margins[predicted == label] for label in range(logits.shape[1])]
    shares = [
        (each >= AT_BOUND * each.max()).double().mean().item()
        for each in of_classes
        if len(each) > RARE * margins.numel()
    ]
    # one class alone is not asked: it may be the background
    return min(shares) if len(shares) > 1 else 0.0
