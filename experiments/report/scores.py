# SPDX-License-Identifier: Apache-2.0
"""The scores of a condition as the page shows them, and tables of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["DASH", "Scores", "Table", "score_table"]

DASH = "–"

Table = dict[str, Any]  # of the template's macro ``table``: header and rows


@dataclass(frozen=True)
class Scores:
    """The scores of one condition.

    Args:
        title: what the condition is called.
        means: what ``summarize`` makes of it, by ε, rising.
        by_seed: the mean DIC over the images: a row for each ε, a column for each seed.
    """

    title: str
    means: pd.DataFrame
    by_seed: pd.DataFrame

    @property
    def last(self) -> float:
        """The largest ε."""
        return float(self.means.index[-1])

    def show(self, metric: str, epsilon: float) -> str:
        """The mean over the seeds, and their deviation if there are several; a dash if ε was not attacked."""
        if epsilon not in self.means.index:
            return DASH
        row = self.means.loc[epsilon]
        return f"{row[metric]:.3f}" + (f" ± {row[f'{metric}_sd']:.3f}" if row["seeds"] > 1 else "")


def score_table(
    several: Sequence[Scores], metric: str, epsilons: Sequence[float], paper: Mapping[float, float] | None = None
) -> Table:
    """Return means and deviations, the drop from the clean pictures to the last ε, and the mean over ε.

    Where the rows do not have the same ε, the mean is over those that all have, and the head of its column names them.

    Args:
        several: the scores of each row.
        metric: ``"DIC"`` or ``"JSC"``.
        epsilons: those that are shown, rising.
        paper: the paper's mean scores of NLCEN by ε, if there are any.
    """
    last = epsilons[-1]
    rows = []
    if paper:
        numbers = [f"{paper[epsilon]:.3f}" if epsilon in paper else DASH for epsilon in epsilons]
        rows.append(["NLCEN in the paper", *numbers, _drop(paper, last), DASH, DASH])
    grids = [set(each.means.index) for each in several]
    shared = sorted(set.intersection(*grids)) if grids else []
    for each in several:
        numbers, own = [each.show(metric, epsilon) for epsilon in epsilons], each.means[metric].to_dict()
        mean = _mean([own[epsilon] for epsilon in shared], shared)
        rows.append([each.title, *numbers, _drop(own, last), mean, f"{each.means['seeds'].max()}"])
    over = "" if all(grid == set(shared) for grid in grids) else f" = {', '.join(f'{each:g}' for each in shared)}"
    header = [metric, *(f"ε = {epsilon:g}" for epsilon in epsilons), "drop", f"mean over ε{over}", "seeds"]
    return {"header": header, "rows": rows}


def _drop(scores: Mapping[float, float], last: float) -> str:
    return f"{scores[0.0] - scores[last]:.3f}" if 0.0 in scores and last in scores else DASH


def _mean(scores: Sequence[float], epsilons: Sequence[float]) -> str:
    """The area under a curve, divided by its width."""
    return f"{np.trapezoid(scores, epsilons) / (epsilons[-1] - epsilons[0]):.3f}" if len(epsilons) > 1 else DASH
