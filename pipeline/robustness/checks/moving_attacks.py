# SPDX-License-Identifier: Apache-2.0
"""Does each attack use the ε that it is given?"""

from __future__ import annotations

from ..scores import MOVED, attack_names
from .check import CheckResult
from .evidence import Evidence

__all__ = ["MovingAttacks"]

TOO_MANY = 0.1


class MovingAttacks:
    """Each attack by itself changes some pixel by ε on at least 90 % of the images whose DIC it has not brought to 0.

    The value is the largest share of images, over attacks and ε, that an attack has not moved so far.

    Example:
        >>> MovingAttacks()(evidence).status
        'passed'
    """

    name = "attacks move"

    def __call__(self, evidence: Evidence) -> CheckResult:
        scores = evidence.scores
        rows = scores[scores["attack"].isin(attack_names(scores)) & (scores["DIC"] > 0) & scores["moved"].notna()]
        if rows.empty:
            return CheckResult(
                self.name, "not applicable", None, "There is no image that an attack has not brought to 0."
            )
        still = (rows["moved"] < MOVED).groupby([rows["attack"], rows["epsilon"]]).mean()
        attack, epsilon = still.idxmax()
        share = float(still.max())
        if share <= TOO_MANY:
            return CheckResult(
                self.name, "passed", share, f"No attack leaves more than {share:.0%} of the images short of its ε."
            )
        lazy = ", ".join(sorted({name for name, _ in still[still > TOO_MANY].index}))
        return CheckResult(
            self.name,
            "failed",
            share,
            f"At ε = {epsilon:g} {attack} changes no pixel by ε on {share:.0%} of the images: what these attacks leave "
            f"says nothing about the network: {lazy}.",
        )
