# SPDX-License-Identifier: Apache-2.0
"""Does each attack use the ε that it is given?"""

from __future__ import annotations

import pandas as pd

from ..scores import MOVED, attack_names
from .check import CheckResult
from .evidence import Evidence
from .table_attacks import adds_only, takes_only

__all__ = ["MovingAttacks"]

TOO_MANY = 0.1


class MovingAttacks:
    """Each attack by itself changes some pixel by ε on at least 90 % of the images whose DIC it has not brought to 0.

    An attack that only takes foreground away is not asked about empty masks, nor one that only adds some about full
    ones: there its loss has no gradient, on any network. The value is the largest share of images, over attacks and ε,
    that an attack has not moved so far.

    Example:
        >>> MovingAttacks()(evidence).status
        'passed'
    """

    name = "attacks move"

    def __call__(self, evidence: Evidence) -> CheckResult:
        scores = evidence.scores
        reached = scores[scores["attack"].isin(attack_names(scores)) & (scores["DIC"] > 0) & scores["moved"].notna()]
        asked = _with_gradient(reached, evidence)
        left_out = reached.loc[~asked, "image"].nunique()
        beside = f" (left out, as an empty or a full mask gives the attack no gradient: {left_out})" if left_out else ""
        rows = reached[asked]
        if rows.empty:
            return CheckResult(
                self.name, "not applicable", None, f"There is no image that an attack has not brought to 0{beside}."
            )
        still = (rows["moved"] < MOVED).groupby([rows["attack"], rows["epsilon"]]).mean()
        attack, epsilon = still.idxmax()
        share = float(still.max())
        if share <= TOO_MANY:
            return CheckResult(
                self.name,
                "passed",
                share,
                f"No attack leaves more than {share:.0%} of the images short of its ε{beside}.",
            )
        lazy = ", ".join(sorted({name for name, _ in still[still > TOO_MANY].index}))
        return CheckResult(
            self.name,
            "failed",
            share,
            f"At ε = {epsilon:g} {attack} changes no pixel by ε on {share:.0%} of the images{beside}: what these "
            f"attacks leave says nothing about the network: {lazy}.",
        )


def _with_gradient(rows: pd.DataFrame, evidence: Evidence) -> pd.Series:
    """Whether the mask of each row's image gives the loss of the row's attack a gradient."""
    names = rows["attack"]
    idle = names.map(takes_only).astype(bool) & rows["image"].isin(evidence.empty)
    return ~(idle | names.map(adds_only).astype(bool) & rows["image"].isin(evidence.full))
