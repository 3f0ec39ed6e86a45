# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.comparison.results import describe_commits

from .conditions import METRICS, STAGES, Condition, in_order
from .drawn_figure import DrawnFigure
from .paper_numbers import PAPER_NLCEN
from .statistics import MIN_SEEDS, by_condition

__all__ = ["summary_page"]

SHOWN_EPSILONS = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0)
DASH = "–"
# the columns of the table of costs, and what is shown of several seeds
COSTS = {
    "parameters": "max",
    "gradients_per_image": "max",
    "training_seconds": "mean",
    "evaluation_seconds": "mean",
    "peak_memory_mb": "max",
}
# by the sections of DrawnFigure
FIGURES = {
    "pictures": "the pictures (Figures 1 and 6)",
    "networks": "the networks (Figure 4 or 5)",
    "ablation": "the ablation (Figure 7)",
    "nlce": "networks with NLCE (Figure 8)",
    "claim": "other readings of the claim",
}


def summary_page(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    costs: pd.DataFrame,
    titles: Mapping[str, str],
    figures: Mapping[str, Sequence[DrawnFigure]],
) -> str:
    """Return the page of a report, in Markdown.

    Args:
        table: see ``check_results``.
        summary: what ``summarize`` makes of it.
        differences: what ``differences`` makes of it.
        costs: see ``write_report``.
        titles: title of each data set in ``table``.
        figures: what was drawn of each, in the folder ``figures`` beside the page.
    """
    parts = ["# Comparison", _provenance(table, titles)]
    for data, title in titles.items():
        page = _Page(summary, differences, figures[data], data, title)
        parts += [f"## {title}", page.networks(), page.with_and_without(), page.ablation(), page.claim()]
    parts += ["## Costs", _costs(table, costs, titles), "## What is missing", _missing(table, titles, figures)]
    return "\n\n".join(part for part in parts if part) + "\n"


class _Page:
    """The sections of one data set."""

    def __init__(
        self,
        summary: pd.DataFrame,
        differences: pd.DataFrame,
        figures: Sequence[DrawnFigure],
        data: str,
        title: str,
    ) -> None:
        self.summary = summary[summary["data"] == data]
        self.differences = differences[differences["data"] == data]
        self.figures = figures
        self.data = data
        self.title = title
        self.rows = {key: rows.set_index("epsilon") for key, rows in by_condition(self.summary).items()}
        epsilons = sorted(set(self.summary["epsilon"]))
        self.last = epsilons[-1]
        self.shown = [epsilon for epsilon in epsilons if epsilon in SHOWN_EPSILONS or epsilon == self.last]

    def networks(self) -> str:
        """All networks of the main recipe, and whether NLCEN is the best."""
        names = in_order([condition.network for condition in self.rows])
        wanted = [Condition(self.data, name, nlce) for name in names for nlce in (False, True)]
        paper = PAPER_NLCEN.get(self.title, {})
        return _join(
            "### All networks",
            *self._pictures("pictures", "networks"),
            *(self._scores(wanted, metric, paper.get(metric)) for metric in METRICS),
            self._best([Condition(self.data, name, name == "nlcen") for name in names]),
            self._differences("network"),
        )

    def with_and_without(self) -> str:
        """What NLCE changes in each network."""
        pairs = self._chosen("nlce")
        if pairs.empty:
            return ""
        at_last = pairs[(pairs["epsilon"] == self.last) & (pairs["metric"] == "DIC")]
        higher = at_last[at_last["difference"] > 0]
        verdict = (
            'The paper: "Methods with NLCE modules achieve significantly higher DIC and JSC than those without." '
            f"Here, at ε = {self.last:g}, the mean DIC is higher with NLCE in {len(higher)} of {len(at_last)} networks"
            f"{_listed(higher['first'])}. {_claimed(at_last, 'first')}"
        )
        return _join("### With and without NLCE", *self._pictures("nlce"), verdict, self._differences("nlce"))

    def ablation(self) -> str:
        """The stages of the ablation."""
        start = Condition(self.data, "nlcen", False)
        stages = [Condition(self.data, "nlcen", True, stage) for stage in STAGES]
        if not any(stage in self.rows for stage in stages):
            return ""
        return _join(
            "### Ablation",
            *self._pictures("ablation"),
            *(self._scores([start, *stages], metric) for metric in METRICS),
            self._differences("ablation"),
        )

    def claim(self) -> str:
        """The readings under which the paper's curves could have come about."""
        keys = [(c.variant, c.reading) for c in self.rows if c.variant not in STAGES]
        keys = [key for key in dict.fromkeys(keys) if any(key)]
        if not keys:
            return ""
        wanted, rows = [], []
        for variant, reading in [("", ""), *keys]:
            trio = [
                Condition(self.data, "nlcen", True, variant, reading),
                Condition(self.data, "nlcen", False, "", reading),
                Condition(self.data, "unet", False, "", reading),
            ]
            wanted += trio
            rows.append(
                [
                    trio[0].reading_title,
                    *(self._score(condition, "DIC", self.last) for condition in trio),
                    self._order(trio),
                ]
            )
        header = [f"DIC at ε = {self.last:g}", "NLCEN", "NLCEN w/o NLCE", "UNet", "the paper's order"]
        return _join(
            "### Other readings of the claim",
            *self._pictures("claim"),
            _markdown(header, rows),
            "The paper's order: NLCEN above NLCEN w/o NLCE and above UNet; claimed where 0 is outside both intervals "
            "(differences.csv). Another way to train NLCE leaves networks without it as they are.",
            *(self._scores(list(dict.fromkeys(wanted)), metric) for metric in METRICS),
        )

    def _best(self, wanted: Sequence[Condition]) -> str:
        """Whether NLCEN is the best at the largest ε."""
        scores = {condition.title: self._mean(condition, "DIC", self.last) for condition in wanted}
        ranking = sorted(((score, name) for name, score in scores.items() if score is not None), reverse=True)
        if len(ranking) < 2 or scores.get("NLCEN") is None:
            return f"Whether NLCEN is the best at ε = {self.last:g} cannot be said: NLCEN or the others are missing."
        places = ", ".join(f"{name} {score:.3f}" for score, name in ranking)
        holds = "This comes out here" if ranking[0][1] == "NLCEN" else "This does not come out here"
        chosen = self._chosen("network")
        chosen = chosen[(chosen["epsilon"] == self.last) & (chosen["metric"] == "DIC")]
        return (
            f"The paper: NLCEN has the highest accuracy at the strongest attack. {holds}, by the mean DIC at "
            f"ε = {self.last:g}: {places}. {_claimed(chosen, 'second')}"
        )

    def _order(self, trio: Sequence[Condition]) -> str:
        """Whether the first of ``trio`` is the best at the largest ε."""
        first, *others = (self._mean(condition, "DIC", self.last) for condition in trio)
        if first is None or any(other is None for other in others):
            return "cannot be said"
        if any(first <= other for other in others if other is not None):
            return "no"
        pairs = self.differences[
            (self.differences["first"] == trio[0].title)
            & self.differences["second"].isin([condition.title for condition in trio[1:]])
            & (self.differences["epsilon"] == self.last)
            & (self.differences["metric"] == "DIC")
        ]
        return "yes, claimed" if len(pairs) == len(others) and pairs["claimed"].all() else "yes"

    def _scores(self, wanted: Iterable[Condition], metric: str, paper: Mapping[float, float] | None = None) -> str:
        """A table of means and deviations, the drop from the clean pictures, and the mean over ε."""
        rows = []
        if paper:
            drop = f"{paper[0.0] - paper[32.0]:.3f}" if 32.0 in paper and self.last == 32 else DASH
            ends = [f"{paper[epsilon]:.3f}" if epsilon in paper else DASH for epsilon in self.shown]
            rows.append(["NLCEN in the paper", *ends, drop, DASH, DASH])
        for condition in wanted:
            if condition not in self.rows:
                continue
            own = self.rows[condition]
            clean, last = self._mean(condition, metric, 0.0), self._mean(condition, metric, self.last)
            drop = DASH if clean is None or last is None else f"{clean - last:.3f}"
            scores = [self._score(condition, metric, epsilon) for epsilon in self.shown]
            rows.append([condition.title, *scores, drop, _area(own, metric), f"{own['seeds'].max()}"])
        shown = [f"ε = {epsilon:g}" for epsilon in self.shown]
        return _markdown([metric, *shown, "drop", "mean over ε", "seeds"], rows)

    def _differences(self, question: str) -> str:
        """A table of differences of DIC, those claimed in bold."""
        chosen = self._chosen(question)
        chosen = chosen[chosen["metric"] == "DIC"]
        rows = []
        for (first, second), part in chosen.groupby(["first", "second"], sort=False):
            at = part.set_index("epsilon")
            rows.append([f"{first} − {second}", *(_difference(at, epsilon) for epsilon in self.shown)])
        if not rows:
            return ""
        few = "" if (chosen["seeds"] >= MIN_SEEDS).all() else f" With fewer than {MIN_SEEDS} seeds nothing is claimed."
        return _join(
            _markdown(["difference of DIC", *(f"ε = {epsilon:g}" for epsilon in self.shown)], rows),
            f"In brackets the bootstrap 95 % interval over seeds and images; bold: claimed, 0 is outside it.{few}",
        )

    def _chosen(self, question: str) -> pd.DataFrame:
        """Rows of ``differences`` under the paper's attack as we read it."""
        main = [c.title for c in self.rows if not c.reading and (not c.variant or c.variant in STAGES)]
        rows = self.differences[self.differences["question"] == question]
        return rows[rows["first"].isin(main) & rows["second"].isin(main)]

    def _at(self, condition: Condition, epsilon: float) -> pd.Series[Any] | None:
        """The row of ``condition`` at ε."""
        if condition not in self.rows or epsilon not in self.rows[condition].index:
            return None
        return self.rows[condition].loc[epsilon]

    def _mean(self, condition: Condition, metric: str, epsilon: float) -> float | None:
        row = self._at(condition, epsilon)
        return None if row is None else float(row[metric])

    def _score(self, condition: Condition, metric: str, epsilon: float) -> str:
        row = self._at(condition, epsilon)
        if row is None:
            return DASH
        return f"{row[metric]:.3f}" + (f" ± {row[f'{metric}_sd']:.3f}" if row["seeds"] > 1 else "")

    def _pictures(self, *sections: str) -> list[str]:
        shown = [figure for section in sections for figure in self.figures if figure.section == section]
        return [f"![{figure.files[0].stem}](figures/{figure.files[0].name})\n\n*{figure.caption}*" for figure in shown]


def _provenance(table: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """What was measured, on what, with which code."""
    rows = []
    for data, title in titles.items():
        part = table[table["data"] == data]
        seeds = ", ".join(str(seed) for seed in sorted(part["seed"].unique()))
        rows.append([title, data, str(part["image"].nunique()), seeds, str(part["cell"].nunique())])
    lines = [_markdown(["data set", "name", "images", "seeds", "cells"], rows)]
    lines.append(describe_commits(table) or f"All cells ran with commit {table['commit'].iloc[0]}.")
    if table.groupby("data")["seed"].nunique().min() < MIN_SEEDS:
        lines.append(
            f"**No difference is claimed where there are fewer than {MIN_SEEDS} seeds:** a second training might turn "
            "it round."
        )
    lines.append(
        "Scores are means over the seeds of the means over the images, ± the standard deviation over the seeds. "
        '"Mean over ε" is the area under the curve divided by the largest ε. An interval from 3 seeds is too narrow '
        "where seeds differ more than images: it then holds the truth in about 70 % of the cases instead of 95 %."
    )
    return _join(*lines)


def _costs(table: pd.DataFrame, costs: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """Means over the seeds, apart for each kind of machine."""
    own = table[["cell", "data", "network", "nlce", "variant", "reading"]].drop_duplicates()
    joined = own.merge(costs[["cell", "device", *COSTS]], on="cell", how="left").astype(dict.fromkeys(COSTS, "float64"))
    rows = []
    for condition, cells in sorted(by_condition(joined).items(), key=lambda item: list(titles).index(item[0].data)):
        for device, part in cells.groupby("device", sort=True, dropna=False):
            rows.append(
                [
                    titles[condition.data],
                    condition.title,
                    *(_number(part[column].agg(how)) for column, how in COSTS.items()),
                    DASH if pd.isna(device) else str(device),
                    str(len(part)),
                ]
            )
    header = ["data set", "network", "parameters", "gradients per image", "training, s", "evaluation, s"]
    return _markdown([*header, "peak memory, MB", "device", "seeds"], rows)


def _missing(table: pd.DataFrame, titles: Mapping[str, str], figures: Mapping[str, Sequence[DrawnFigure]]) -> str:
    """Figures for which there is nothing, and seeds that some conditions lack."""
    lines = []
    for data, title in titles.items():
        drawn = {figure.section for figure in figures[data]}
        lines += [f"- {title}: no results for {what}" for section, what in FIGURES.items() if section not in drawn]
        own = table[table["data"] == data]
        for condition, rows in by_condition(own).items():
            lacking = sorted(set(own["seed"]) - set(rows["seed"]))
            if lacking:
                lines.append(f"- {title}, {condition.title}: seed {', '.join(map(str, lacking))}")
    said = "Networks that a figure lacks are named below it. Differences use the seeds that both have."
    return _join(said, "\n".join(lines))


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


def _claimed(rows: pd.DataFrame, column: str) -> str:
    """Which of the differences, all at one ε, are claimed to be above 0."""
    if not (rows["seeds"] >= MIN_SEEDS).any():
        return f"This is no claim: there are fewer than {MIN_SEEDS} seeds."
    above = rows[rows["claimed"] & (rows["difference"] > 0)]
    return f"Claimed, with the interval of the difference above 0: {len(above)} of {len(rows)}{_listed(above[column])}."


def _listed(names: pd.Series[Any]) -> str:
    return f" ({', '.join(names)})" if len(names) else ""


def _number(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:,.0f}"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
