# SPDX-License-Identifier: Apache-2.0
"""What the page says of one data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from .answer import answer
from .condition import METRICS, STAGES, UNET_UNCHANGED, Condition, by_condition, claim_trios
from .drawn_figure import DrawnFigure
from .pairs import Pair
from .paper_sets import ReportedData
from .scores import DASH, Scores, Table, score_table

__all__ = ["Section"]

SHOWN_EPSILONS = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0)
NOTHING_LEARNED = 0.1  # a mean DIC on clean pictures below it
RISE = 0.01  # of the mean DIC under attack above the one on clean pictures, which rounding does not make


class Section:
    """What the template asks for of one data set.

    Args:
        table: see ``check_results``.
        summary: what ``summarize`` makes of it.
        compared: what ``differences`` makes of it.
        figures: what was drawn of the data set.
        data: the data set.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        summary: pd.DataFrame,
        compared: Mapping[Pair, pd.DataFrame],
        figures: Sequence[DrawnFigure],
        data: ReportedData,
    ) -> None:
        self.title = data.title
        self.is_papers = bool(data.nlcen)
        self._data = data
        self._figures = figures
        self._compared = {pair: part for pair, part in compared.items() if pair.first.data == data.name}
        means = by_condition(summary[summary["data"] == data.name])
        self._scores = {
            key: Scores(
                key.title, means[key].set_index("epsilon"), rows.groupby(["epsilon", "seed"])["DIC"].mean().unstack()
            )
            for key, rows in by_condition(table[table["data"] == data.name]).items()
        }
        usual = [own.last for key, own in self._scores.items() if not key.reading]
        ends = {own.last for own in self._scores.values()}
        self.last = max(usual or ends)
        epsilons = {epsilon for own in self._scores.values() for epsilon in own.means.index}
        self._shown = sorted(ends | (epsilons & set(SHOWN_EPSILONS)))

    def figures(self, *sections: str) -> list[DrawnFigure]:
        """The figures of some parts of the page."""
        return [figure for section in sections for figure in self._figures if figure.section == section]

    def warnings(self) -> list[dict[str, Any]]:
        """Networks whose curve says nothing about robustness: ``title``, ``clean`` and, if it rises, ``top`` and ε."""
        found = []
        for key, own in self._scores.items():
            if key.reading or 0.0 not in own.means.index:
                continue
            clean, attacked = own.means["DIC"][0.0], own.means["DIC"].drop(0.0)
            if clean < NOTHING_LEARNED:
                found.append({"title": own.title, "clean": clean, "top": None})
            elif len(attacked) and attacked.max() > clean + RISE:
                found.append({"title": own.title, "clean": clean, "top": attacked.max(), "epsilon": attacked.idxmax()})
        return found

    def networks(self) -> list[Table]:
        """The scores of all networks of the main recipe."""
        names = dict.fromkeys(key.network for key in self._scores)
        wanted = [Condition(self._data.name, name, nlce) for name in names for nlce in (False, True)]
        return [
            score_table(self._there(wanted), metric, self._shown, self._data.nlcen.get(metric)) for metric in METRICS
        ]

    def best(self) -> dict[str, Any] | None:
        """The order at the largest ε over the seeds that all have; None with one network only or no such seed."""
        main = [key for key in self._scores if not (key.stage or key.is_read_otherwise)]
        keys = [key for key in main if key.nlce == (key.network == "nlcen")]
        seeds, means = self._over_common_seeds(keys, self.last)
        if len(keys) < 2 or not seeds:
            return None
        places = sorted(zip(means, keys, strict=True), key=lambda place: -place[0])
        return {
            "seeds": seeds,
            "places": [(key.title, mean) for mean, key in places],
            "nlcen_is_first": places[0][1].network == "nlcen",
            "nlcen_is_there": any(key.network == "nlcen" for key in keys),
        }

    def ablation(self) -> list[Table]:
        """The scores of the ablation's stages; empty if there are none."""
        stages = dict.fromkeys([*STAGES, *(key.stage for key in self._scores if key.stage)])
        start = Condition(self._data.name, "nlcen", False)
        wanted = [start, *(Condition(self._data.name, "nlcen", True, stage) for stage in stages)]
        there = any(key.stage for key in self._scores)
        return [score_table(self._there(wanted), metric, self._shown) for metric in METRICS] if there else []

    def claim(self) -> dict[str, Any] | None:
        """The readings under which the paper's curves could have come about; None if there is no other reading."""
        trios = claim_trios(self._data.name, self._scores)
        if not trios:
            return None
        header = [f"DIC at ε = {self.last:g}", "NLCEN", "NLCEN w/o NLCE", "UNet", "NLCEN highest"]
        rows = [self._order(trio) for trio in trios if trio[-1] in self._scores]
        wanted = dict.fromkeys(key for trio in trios for key in trio)
        wanted |= dict.fromkeys(key for key in self._scores if key.is_read_otherwise)
        return {
            "order": {"header": header, "rows": rows} if rows else None,
            "unet_unchanged": any(trio[0].reading in UNET_UNCHANGED for trio in trios),
            "scores": [score_table(self._there(wanted), metric, self._shown) for metric in METRICS],
        }

    def question(self, name: str, otherwise: bool = False) -> dict[str, Any] | None:
        """The ``answer`` to a question of ``wanted_pairs``; None if there are no such differences.

        Args:
            name: the question.
            otherwise: of networks that are trained or attacked otherwise than in the main recipe, instead of the rest.
        """
        pairs = [pair for pair in self._compared if pair.question == name]
        chosen = [pair for pair in pairs if pair.first.is_read_otherwise == otherwise]
        return answer({pair: self._compared[pair] for pair in chosen}, self._shown)

    def _there(self, wanted: Iterable[Condition]) -> list[Scores]:
        return [self._scores[key] for key in wanted if key in self._scores]

    def _order(self, trio: Sequence[Condition]) -> list[str]:
        """The row of a trio: its scores at its largest ε, and whether the first is the best there."""
        last = min(own.last for own in self._there(trio))
        title = trio[0].reading_title if last == self.last else f"{trio[0].reading_title}, at ε = {last:g}"
        scores = [self._scores[key].show("DIC", last) if key in self._scores else DASH for key in trio]
        return [title, *scores, self._is_first(trio, last)]

    def _is_first(self, trio: Sequence[Condition], epsilon: float) -> str:
        there = self._there(trio)
        if len(there) < len(trio) or any(epsilon not in own.means.index for own in there):
            return "cannot be said"
        seeds, (first, *others) = self._over_common_seeds(trio, epsilon)
        if not seeds:
            return "cannot be said"
        if any(first <= other for other in others):
            return "no"
        parts = [part for pair, part in self._compared.items() if pair.first == trio[0] and pair.second in trio[1:]]
        # a pair may have more seeds than the three, and be claimed the other way round
        claimed = [(part["low"][(part["epsilon"] == epsilon) & (part["metric"] == "DIC")] > 0).all() for part in parts]
        return "yes, claimed" if len(claimed) == len(others) and all(claimed) else "yes"

    def _over_common_seeds(self, wanted: Sequence[Condition], epsilon: float) -> tuple[list[int], list[float]]:
        """The seeds that all ``wanted`` have, and the mean DIC of each at an ε over these."""
        scores = [self._scores[key].by_seed.loc[epsilon] for key in wanted]
        common = sorted(set.intersection(*(set(score.index) for score in scores))) if scores else []
        return common, [float(score[common].mean()) for score in scores]
