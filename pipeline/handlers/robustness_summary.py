# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

__all__ = ["eps_half_lost", "robustness_summary"]


def robustness_summary(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the few numbers that stand for a sweep.

    Args:
        rows: of ``mean_scores``: mean DIC and JSC for each ε, rising, the first clean and at least one attacked.

    Returns:
        ``DIC_weakest`` … ``JSC_strongest``: at the weakest, the middle and the strongest ε; ``DIC_area``: the area
        under the curve from 0 to the strongest ε, divided by that ε; ``eps_half_DIC``: see :func:`eps_half_lost`.
    """
    attacked = rows[1:]
    chosen = {"weakest": attacked[0], "middle": attacked[(len(attacked) - 1) // 2], "strongest": attacked[-1]}
    summary = {f"{metric}_{at}": row[metric] for metric in ("DIC", "JSC") for at, row in chosen.items()}
    epsilons = [row["epsilon"] for row in rows]
    summary["DIC_area"] = float(np.trapezoid([row["DIC"] for row in rows], epsilons)) / epsilons[-1]
    half = eps_half_lost(rows)
    return summary if half is None else summary | {"eps_half_DIC": half}


def eps_half_lost(rows: Sequence[Mapping[str, float]]) -> float | None:
    """Return the first ε at which half the clean DIC is lost, on lines between the rows; None if it never is."""
    half = rows[0]["DIC"] / 2
    for a, b in pairwise(rows):
        if a["DIC"] > half >= b["DIC"]:
            return a["epsilon"] + (b["epsilon"] - a["epsilon"]) * (a["DIC"] - half) / (a["DIC"] - b["DIC"])
    return None
