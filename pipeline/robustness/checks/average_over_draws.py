# SPDX-License-Identifier: Apache-2.0
"""Does an attack on the average of a random network find what attacks on single draws miss?"""

from __future__ import annotations

from .check import CheckResult
from .evidence import Evidence
from .probe import SOFT_DICE, descend, dic_of

__all__ = ["AverageOverDraws"]

STEPS, DRAWS = 10, 4
CLEARLY = 0.1


class AverageOverDraws:
    """Of a random network: soft Dice against the mean gradient of 4 draws is no stronger than against single draws.

    Expectation over transformation (Athalye et al., ICML 2018), 10 steps at the middle ε; the value is how much lower
    DIC is, the mean over 4 further draws.

    Example:
        >>> AverageOverDraws()(evidence).status
        'not applicable'
    """

    name = "average over draws"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, picture, label = evidence.attacked, evidence.picture, evidence.label
        if not evidence.is_random:
            return CheckResult(self.name, "not applicable", None, "The network is not random: there is one draw only.")
        epsilon = evidence.epsilons[len(evidence.epsilons) // 2]
        single, averaged = (
            dic_of(attacked, descend(attacked, picture, label, epsilon, SOFT_DICE, STEPS, draws=draws), label, DRAWS)
            .mean()
            .item()
            for draws in (1, DRAWS)
        )
        gain = single - averaged
        said = (
            f"At ε = {epsilon:g} an attack on the average of {DRAWS} draws leaves DIC {averaged:.3f}, on single draws"
        )
        if gain < CLEARLY:
            return CheckResult(self.name, "passed", gain, f"{said} {single:.3f}.")
        return CheckResult(
            self.name, "failed", gain, f"{said} {single:.3f}: the randomness hides the way from attacks that draw once."
        )
