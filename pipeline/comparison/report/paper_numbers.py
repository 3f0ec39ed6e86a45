# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PAPER_SETS", "PaperSet"]


@dataclass(frozen=True)
class PaperSet:
    """A data set of the paper.

    Args:
        title: its name.
        description: how the description begins that ``data_prep`` writes into its data list.
        figures: the numbers of the paper's figures on it, by what they show.
        nlcen: mean score of NLCEN by metric and ε. The text gives no others; Figures 4, 5, 7 and 8 show curves without
            numbers.
    """

    title: str
    description: str
    figures: Mapping[str, int]
    nlcen: Mapping[str, Mapping[float, float]]


# He et al. 2019, "Quantitative Evaluation"
PAPER_SETS = (
    PaperSet(
        title="JSRT",
        description="JSRT with SCR lung masks, fold1 and fold2",
        figures={"attack": 1, "networks": 4, "predictions": 6, "ablation": 7, "nlce": 8},
        nlcen={"DIC": {0.0: 0.971, 32.0: 0.963}, "JSC": {0.0: 0.945, 32.0: 0.929}},
    ),
    PaperSet(
        title="ISBI 2016",
        description="ISBI 2016 Part 1, ",
        figures={"networks": 5, "predictions": 6},
        nlcen={"DIC": {0.0: 0.907, 32.0: 0.801}, "JSC": {0.0: 0.844, 32.0: 0.704}},
    ),
)
