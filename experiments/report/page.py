# SPDX-License-Identifier: Apache-2.0
"""Puts what the results come to on one page, in Markdown: this file counts, ``page.md.jinja`` speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.markdown import fill_page
from experiments.results import describe_commits

from .condition import CONDITION, METRICS, STAGES, UNET_UNCHANGED, Condition, by_condition, claim_trios
from .drawn_figure import DrawnFigure
from .paper_sets import ReportedData
from .statistics import MIN_SEEDS

__all__ = ["make_page"]

TEMPLATE = Path(__file__).with_name("page.md.jinja")

SHOWN_EPSILONS = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0)
NOTHING_LEARNED = 0.1  # a mean DIC on clean pictures below it
RISE = 0.01  # of the mean DIC under attack above the one on clean pictures, which rounding does not make
DASH = "–"
# the columns of the table of costs, and what is shown of several seeds
COSTS = {
    "parameters": "max",
    "gradients_per_image": "max",
    "training_seconds": "mean",
    "evaluation_seconds": "mean",
    "peak_memory_mb": "max",
}

Table = dict[str, Any]  # of the template's macro ``table``: header and rows


def make_page(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    costs: pd.DataFrame,
    data_sets: Sequence[ReportedData],
    figures: Mapping[str, Sequence[DrawnFigure]],
) -> str:
    """Return the page of a report.

    Args:
        table: see ``check_results``.
        summary: what ``summarize`` makes of it.
        differences: what ``differences`` makes of it.
        costs: see ``write_report``.
        data_sets: those in ``table``.
        figures: what was drawn of each, by its name, in the folder ``figures`` beside the page.
    """
    titles = {data.name: data.title for data in data_sets}
    return fill_page(
        TEMPLATE,
        min_seeds=MIN_SEEDS,
        few_seeds=bool(table.groupby("data")["seed"].nunique().min() < MIN_SEEDS),
        provenance=_provenance(table, titles),
        commits=describe_commits(table) or f"All cells ran with commit {table['commit'].iloc[0]}.",
        data_sets=[_Section(table, summary, differences, figures[data.name], data) for data in data_sets],
        costs=_costs(table, costs, titles),
        lacking=_lacking(table, titles),
    )


class _Section:
    """What the template asks for of one data set."""

    def __init__(
        self,
        table: pd.DataFrame,
        summary: pd.DataFrame,
        differences: pd.DataFrame,
        figures: Sequence[DrawnFigure],
        data: ReportedData,
    ) -> None:
        self.title = data.title
        self.is_papers = bool(data.nlcen)
        self._data = data
        self._figures = figures
        rows = by_condition(summary[summary["data"] == data.name])
        self._keys = {key: key for key in rows}  # with what each is called
        self._rows = {key: own.set_index("epsilon") for key, own in rows.items()}
        self._differences = differences[differences["data"] == data.name]
        epsilons = sorted(set(summary[summary["data"] == data.name]["epsilon"]))
        self.last = epsilons[-1]
        self._shown = [epsilon for epsilon in epsilons if epsilon in SHOWN_EPSILONS or epsilon == self.last]
        at_last = table[(table["data"] == data.name) & (table["epsilon"] == self.last)]
        # mean DIC of each seed at the largest ε
        self._at_last = {key: own.groupby("seed")["DIC"].mean() for key, own in by_condition(at_last).items()}

    def figures(self, *sections: str) -> list[DrawnFigure]:
        """The figures of some parts of the page."""
        return [figure for section in sections for figure in self._figures if figure.section == section]

    def warnings(self) -> list[dict[str, Any]]:
        """Networks whose curve says nothing about robustness: ``title``, ``clean`` and, if it rises, ``top`` and ε."""
        found = []
        for key, rows in self._rows.items():
            if key.reading or 0.0 not in rows.index:
                continue
            clean, attacked = rows["DIC"][0.0], rows["DIC"].drop(0.0)
            if clean < NOTHING_LEARNED:
                found.append({"title": key.title, "clean": clean, "top": None})
            elif len(attacked) and attacked.max() > clean + RISE:
                found.append({"title": key.title, "clean": clean, "top": attacked.max(), "epsilon": attacked.idxmax()})
        return found

    def networks(self) -> list[Table]:
        """The scores of all networks of the main recipe."""
        names = dict.fromkeys(key.network for key in self._rows)
        wanted = [Condition(self._data.name, name, nlce) for name in names for nlce in (False, True)]
        return [self._scores(wanted, metric, self._data.nlcen.get(metric)) for metric in METRICS]

    def best(self) -> dict[str, Any] | None:
        """The order at the largest ε over the seeds that all have; None with one network only or no such seed."""
        keys = [key for key in self._main() if key.nlce == (key.network == "nlcen")]
        seeds, means = self._over_common_seeds(keys)
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
        stages = dict.fromkeys([*STAGES, *(key.stage for key in self._rows if key.stage)])
        start = Condition(self._data.name, "nlcen", False)
        wanted = [start, *(Condition(self._data.name, "nlcen", True, stage) for stage in stages)]
        there = any(key.stage for key in self._rows)
        return [self._scores(wanted, metric) for metric in METRICS] if there else []

    def claim(self) -> dict[str, Any] | None:
        """The readings under which the paper's curves could have come about; None if there is no other reading."""
        trios = claim_trios(self._data.name, self._rows)
        if not trios:
            return None
        rows = [
            [trio[0].reading_title, *(self._score(key, "DIC", self.last) for key in trio), self._order(trio)]
            for trio in trios
            if trio[-1] in self._rows
        ]
        header = [f"DIC at ε = {self.last:g}", "NLCEN", "NLCEN w/o NLCE", "UNet", "NLCEN highest"]
        wanted = list(dict.fromkeys(key for trio in trios for key in trio))
        wanted += [key for key in self._rows if key.stage and key.is_read_otherwise]
        return {
            "order": {"header": header, "rows": rows} if rows else None,
            "unet_unchanged": any(trio[0].reading in UNET_UNCHANGED for trio in trios),
            "scores": [self._scores(wanted, metric) for metric in METRICS],
        }

    def question(self, name: str, otherwise: bool = False) -> dict[str, Any] | None:
        """The differences that answer a question of ``wanted_pairs``; None if there are none.

        Args:
            name: the question.
            otherwise: of networks that are trained or attacked otherwise than in the main recipe, instead of the rest.

        Returns:
            ``table``; ``count`` of the differences at the largest ε, and ``higher``, the names of those above 0;
            ``verdicts``, the names by what can be said of them; ``few``, whether some have too few seeds.
        """
        main = [key.title for key in self._rows if not key.is_read_otherwise]
        chosen = self._differences[(self._differences["question"] == name) & (self._differences["metric"] == "DIC")]
        chosen = chosen[chosen["first"].isin(main) != otherwise]
        if chosen.empty:
            return None
        rows = []
        for (first, second), part in chosen.groupby(["first", "second"], sort=False):
            at = part.set_index("epsilon")
            rows.append([f"{first} − {second}", *(_difference(at, epsilon) for epsilon in self._shown)])
        last = chosen[chosen["epsilon"] == self.last]
        names = last["first"] if name == "nlce" else last["first"] + " − " + last["second"]
        # a name with a comma would be taken for two
        names = names.where(~names.str.contains(","), "*" + names + "*")
        few, up = last["seeds"] < MIN_SEEDS, last["difference"] > 0
        groups = {
            "claimed above 0": last["claimed"] & up,
            "claimed below 0": last["claimed"] & ~up,
            "with 0 inside the interval": ~last["claimed"] & ~few,
            f"not claimable (fewer than {MIN_SEEDS} seeds)": few,
        }
        return {
            "table": {"header": ["difference of DIC", *(f"ε = {epsilon:g}" for epsilon in self._shown)], "rows": rows},
            "count": len(last),
            "higher": list(names[up]),
            "verdicts": {group: list(names[there]) for group, there in groups.items()},
            "few": bool((chosen["seeds"] < MIN_SEEDS).any()),
        }

    def _main(self) -> list[Condition]:
        return [key for key in self._rows if not (key.stage or key.is_read_otherwise)]

    def _order(self, trio: Sequence[Condition]) -> str:
        """Whether the first of ``trio`` is the best at the largest ε."""
        if any(key not in self._at_last for key in trio):
            return "cannot be said"
        seeds, (first, *others) = self._over_common_seeds(trio)
        if not seeds:
            return "cannot be said"
        if any(first <= other for other in others):
            return "no"
        titles = [self._keys[key].title for key in trio]
        pairs = self._differences[
            (self._differences["first"] == titles[0])
            & self._differences["second"].isin(titles[1:])
            & (self._differences["epsilon"] == self.last)
            & (self._differences["metric"] == "DIC")
        ]
        return "yes, claimed" if len(pairs) == len(others) and pairs["claimed"].all() else "yes"

    def _over_common_seeds(self, wanted: Sequence[Condition]) -> tuple[list[int], list[float]]:
        """The seeds that all ``wanted`` have, and the mean DIC of each at the largest ε over these."""
        scores = [self._at_last[key] for key in wanted]
        common = sorted(set.intersection(*(set(score.index) for score in scores))) if scores else []
        return common, [float(score[common].mean()) for score in scores]

    def _scores(self, wanted: Iterable[Condition], metric: str, paper: Mapping[float, float] | None = None) -> Table:
        """Means and deviations, the drop from the clean pictures, and the mean over ε."""
        rows = []
        if paper:
            drop = f"{paper[0.0] - paper[32.0]:.3f}" if 32.0 in paper and self.last == 32 else DASH
            ends = [f"{paper[epsilon]:.3f}" if epsilon in paper else DASH for epsilon in self._shown]
            rows.append(["NLCEN in the paper", *ends, drop, DASH, DASH])
        for key in wanted:
            if key not in self._rows:
                continue
            own = self._rows[key]
            both = 0.0 in own.index and self.last in own.index
            drop = f"{own[metric][0.0] - own[metric][self.last]:.3f}" if both else DASH
            scores = [self._score(key, metric, epsilon) for epsilon in self._shown]
            rows.append([self._keys[key].title, *scores, drop, _area(own, metric), f"{own['seeds'].max()}"])
        shown = [f"ε = {epsilon:g}" for epsilon in self._shown]
        return {"header": [metric, *shown, "drop", "mean over ε", "seeds"], "rows": rows}

    def _score(self, key: Condition, metric: str, epsilon: float) -> str:
        if key not in self._rows or epsilon not in self._rows[key].index:
            return DASH
        row = self._rows[key].loc[epsilon]
        return f"{row[metric]:.3f}" + (f" ± {row[f'{metric}_sd']:.3f}" if row["seeds"] > 1 else "")


def _provenance(table: pd.DataFrame, titles: Mapping[str, str]) -> Table:
    """What was measured, on what."""
    rows = []
    for data, title in titles.items():
        part = table[table["data"] == data]
        seeds = ", ".join(str(seed) for seed in sorted(part["seed"].unique()))
        rows.append([title, data, str(part["image"].nunique()), seeds, str(part["cell"].nunique())])
    return {"header": ["data set", "name", "images", "seeds", "cells"], "rows": rows}


def _costs(table: pd.DataFrame, costs: pd.DataFrame, titles: Mapping[str, str]) -> Table:
    """Means over the seeds, apart for each kind of machine."""
    own = table[["cell", *CONDITION, "title"]].drop_duplicates()
    joined = own.merge(costs[["cell", "device", *COSTS]], on="cell", how="left").astype(dict.fromkeys(COSTS, "float64"))
    rows = []
    for key, cells in sorted(by_condition(joined).items(), key=lambda item: list(titles).index(item[0].data)):
        for device, part in cells.groupby("device", sort=True, dropna=False):
            numbers = [_number(part[column].agg(how)) for column, how in COSTS.items()]
            device_name = DASH if pd.isna(device) else str(device)
            rows.append([titles[key.data], key.title, *numbers, device_name, str(len(part))])
    header = ["data set", "network", "parameters", "gradients per image", "training, s", "evaluation, s"]
    return {"header": [*header, "peak memory, MB", "device", "seeds"], "rows": rows}


def _lacking(table: pd.DataFrame, titles: Mapping[str, str]) -> list[tuple[str, str, list[int]]]:
    """Data set, condition and seeds that the data set has, but not the condition."""
    found = []
    for data, title in titles.items():
        own = table[table["data"] == data]
        for key, rows in by_condition(own).items():
            lacking = sorted(set(own["seed"]) - set(rows["seed"]))
            if lacking:
                found.append((title, key.title, lacking))
    return found


def _difference(rows: pd.DataFrame, epsilon: float) -> str:
    if epsilon not in rows.index:
        return DASH
    row = rows.loc[epsilon]
    text = f"{row['difference']:+.3f}"
    if not np.isnan(row["low"]):
        text += f" ({row['low']:+.3f} to {row['high']:+.3f})"
    return f"**{text}**" if row["claimed"] else text


def _area(rows: pd.DataFrame, metric: str) -> str:
    epsilons = rows.index.to_numpy()
    if len(epsilons) < 2:
        return DASH
    return f"{np.trapezoid(rows[metric].to_numpy(), epsilons) / (epsilons[-1] - epsilons[0]):.3f}"


def _number(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:,.0f}"
