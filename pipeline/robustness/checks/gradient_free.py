# SPDX-License-Identifier: Apache-2.0
"""Does an attack without gradients beat those with gradients?"""

from __future__ import annotations

from ..scores import CLEAN, REFINED
from .check import CheckResult
from .evidence import Evidence
from .probe import lowest_dic
from .table_attacks import by_gradient

__all__ = ["GradientFree"]

CLEARLY = 0.02


class GradientFree:
    """Square, transfer and noise leave no lower DIC than the worst case of all attacks by gradients, on their images.

    The value is how much lower the best of them is, at the ε where this is most; below 0 where gradients win.

    Example:
        >>> GradientFree()(evidence).status
        'passed'
    """

    name = "gradients beat attacks without them"

    def __call__(self, evidence: Evidence) -> CheckResult:
        scores = evidence.scores
        free = scores[[not (name in (CLEAN, REFINED) or by_gradient(name)) for name in scores["attack"]]]
        gains: dict[tuple[str, float], float] = {}
        for (name, epsilon), rows in free.groupby(["attack", "epsilon"]):
            lowest = lowest_dic(evidence, list(rows["image"]))
            if epsilon in lowest.index:
                gains[name, epsilon] = lowest[epsilon] - rows["DIC"].mean()
        if not gains:
            return CheckResult(
                self.name, "not applicable", None, "There is no attack without gradients to compare with."
            )
        name, epsilon = max(gains, key=lambda each: gains[each])
        gain = float(gains[name, epsilon])
        side = "below" if gain > 0 else "above"
        said = f"At ε = {epsilon:g} {name} is {abs(gain):.3f} {side} the worst case by gradients"
        if gain < CLEARLY:
            return CheckResult(self.name, "passed", gain, f"{said}.")
        return CheckResult(
            self.name, "failed", gain, f"{said}: the gradients miss what is there, and figures by them are too high."
        )
