# SPDX-License-Identifier: Apache-2.0
"""Does one step beat many?"""

from __future__ import annotations

from .check import CheckResult
from .evidence import Evidence
from .probe import CROSS_ENTROPY, SOFT_DICE, dic_of, lowest_dic

__all__ = ["OneStep"]

CLEARLY = 0.02


class OneStep:
    """One step of ε from the clean picture (FGSM), by cross-entropy and by soft Dice, does no more than many steps.

    The worst case of the table's attacks by gradients, on the same images, is what it is compared with. The value is
    how much lower one step is, at the ε where this is most; below 0 where many steps win.

    Example:
        >>> OneStep()(evidence).status
        'passed'
    """

    name = "many steps beat one"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, picture, label = evidence.attacked, evidence.picture, evidence.label
        lowest = lowest_dic(evidence, evidence.images)
        masks = attacked.classes.target(label)
        gains: dict[float, float] = {}
        for loss in (CROSS_ENTROPY, SOFT_DICE):
            direction = attacked.value_and_gradient(picture, lambda logits: loss(logits, masks))[1].sign()  # noqa: B023
            for epsilon in set(evidence.epsilons) & set(lowest.index):
                dic = dic_of(attacked, (picture + epsilon * direction).clamp(0, 255), label).mean().item()
                gains[epsilon] = max(gains.get(epsilon, -1.0), lowest[epsilon] - dic)
        if not gains:
            return CheckResult(
                self.name, "not applicable", None, "The table has no attack on the pictures of this check."
            )
        epsilon = max(gains, key=lambda each: gains[each])
        gain = float(gains[epsilon])
        said = (
            f"At ε = {epsilon:g} one step is {abs(gain):.3f} {'below' if gain > 0 else 'above'} the worst of many steps"
        )
        if gain < CLEARLY:
            return CheckResult(self.name, "passed", gain, f"{said}.")
        return CheckResult(
            self.name, "failed", gain, f"{said}: gradients off the clean picture lead astray, and figures are too high."
        )
