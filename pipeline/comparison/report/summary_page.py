# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.comparison.results import describe_commits

from .conditions import (
    METRICS,
    NETWORKS,
    STAGES,
    UNET_FOOTNOTE,
    UNET_UNCHANGED,
    Condition,
    claim_trios,
    in_order,
    network_title,
)
from .drawn_figure import DrawnFigure
from .reported_data import ReportedData
from .statistics import CONDITION, MIN_SEEDS, by_condition

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
    data_sets: Sequence[ReportedData],
    figures: Mapping[str, Sequence[DrawnFigure]],
) -> str:
    """Return the page of a report, in Markdown.

    Args:
        table: see ``check_results``.
        summary: what ``summarize`` makes of it.
        differences: what ``differences`` makes of it.
        costs: see ``write_report``.
        data_sets: those in ``table``.
        figures: what was drawn of each, by its name, in the folder ``figures`` beside the page.
    """
    titles = {data.name: data.title for data in data_sets}
    parts = ["# Comparison", _provenance(table, titles)]
    for data in data_sets:
        page = _Page(table, summary, differences, figures[data.name], data)
        parts += [f"## {data.title}", page.networks(), page.with_and_without(), page.ablation(), page.claim()]
    parts += ["## Costs", _costs(table, costs, titles), "## What is missing", _missing(table, titles, figures)]
    return "\n\n".join(part for part in parts if part) + "\n"


class _Page:
    """The sections of one data set."""

    def __init__(
        self,
        table: pd.DataFrame,
        summary: pd.DataFrame,
        differences: pd.DataFrame,
        figures: Sequence[DrawnFigure],
        data: ReportedData,
    ) -> None:
        summary = summary[summary["data"] == data.name]
        self.differences = differences[differences["data"] == data.name]
        self.figures = figures
        self.data = data
        self.rows = {key: rows.set_index("epsilon") for key, rows in by_condition(summary).items()}
        epsilons = sorted(set(summary["epsilon"]))
        self.last = epsilons[-1]
        at_last = table[(table["data"] == data.name) & (table["epsilon"] == self.last)]
        # mean DIC of each seed at the largest ε
        self.at_last = {key: rows.groupby("seed")["DIC"].mean() for key, rows in by_condition(at_last).items()}
        self.shown = [epsilon for epsilon in epsilons if epsilon in SHOWN_EPSILONS or epsilon == self.last]

    def networks(self) -> str:
        """All networks of the main recipe, and whether NLCEN is the best."""
        names = in_order([condition.network for condition in self.rows])
        wanted = [Condition(self.data.name, name, nlce) for name in names for nlce in (False, True)]
        return _join(
            "### All networks",
            *self._pictures("pictures", "networks"),
            *(self._scores(wanted, metric, self.data.nlcen.get(metric)) for metric in METRICS),
            self._best(),
            self._differences("network"),
        )

    def with_and_without(self) -> str:
        """What NLCE changes in each network."""
        pairs = self._chosen("nlce")
        if pairs.empty:
            return ""
        at_last = self._strongest(pairs)
        higher = at_last[at_last["difference"] > 0]
        verdict = (
            'The paper: "Methods with NLCE modules achieve significantly higher DIC and JSC than those without." '
            f"Here, at ε = {self.last:g}, the mean DIC is higher with NLCE in {len(higher)} of {len(at_last)} networks"
            f"{_listed(higher['first'])}. {_claimed(at_last, at_last['first'])}"
        )
        return _join("### With and without NLCE", *self._pictures("nlce"), verdict, self._differences("nlce"))

    def ablation(self) -> str:
        """The stages of the ablation."""
        names = dict.fromkeys([*STAGES, *(condition.stage for condition in self.rows if condition.stage)])
        start = Condition(self.data.name, "nlcen", False)
        stages = [Condition(self.data.name, "nlcen", True, stage) for stage in names]
        if not any(stage in self.rows for stage in stages):
            return ""
        at_last = self._strongest(self._chosen("ablation"))
        higher = at_last[at_last["difference"] > 0]
        verdict = (
            'The paper: one part "alone can already improve robustness, and the complete NLCE module with both parts '
            'can enhance the robustness further", as can fine-tuning. '
            f"Here, at ε = {self.last:g}, the mean DIC is higher in {len(higher)} of {len(at_last)} comparisons"
            f"{_listed(_names(higher))}. {_claimed(at_last, _names(at_last))} The stages go on from each other's "
            "weights, so that a later one has been trained longer: what it gains may come of that alone."
        )
        return _join(
            "### Ablation",
            *self._pictures("ablation"),
            *(self._scores([start, *stages], metric) for metric in METRICS),
            "" if at_last.empty else verdict,
            self._differences("ablation"),
        )

    def claim(self) -> str:
        """The readings under which the paper's curves could have come about."""
        trios = claim_trios(self.data.name, self.rows)
        if not trios:
            return ""
        wanted = [condition for trio in trios for condition in trio]
        rows = [
            [
                trio[0].reading_title,
                *(self._score(condition, "DIC", self.last) for condition in trio),
                self._order(trio),
            ]
            for trio in trios
        ]
        unchanged = any(trio[0].reading in UNET_UNCHANGED for trio in trios)
        header = [f"DIC at ε = {self.last:g}", "NLCEN", "NLCEN w/o NLCE", "UNet", "the paper's order"]
        return _join(
            "### Other readings of the claim",
            *self._pictures("claim"),
            _markdown(header, rows),
            "The paper's order: NLCEN above NLCEN w/o NLCE and above UNet, over the seeds that the three have; claimed "
            "where 0 is outside both intervals (differences.csv). Another way to train NLCE leaves networks without it "
            "as they are. ε is in grey levels of 255 where the row does not say otherwise.",
            f"{UNET_FOOTNOTE}." if unchanged else "",
            *(self._scores(list(dict.fromkeys(wanted)), metric) for metric in METRICS),
        )

    def _best(self) -> str:
        """Whether NLCEN is the best at the largest ε."""
        names = in_order([*NETWORKS, *(condition.network for condition in self.rows)])
        wanted = {name: Condition(self.data.name, name, name == "nlcen") for name in names}
        there = [name for name in names if wanted[name] in self.at_last]
        seeds, means = self._over_common_seeds([wanted[name] for name in there])
        scores = sorted(zip(means, map(network_title, there), strict=True), reverse=True)
        places = ", ".join(f"{name} {score:.3f}" for score, name in scores)
        said = f"the mean DIC at ε = {self.last:g} over {seeds}: {places}." if seeds else "no seed has them all."
        claimed = self._strongest(self._chosen("network"))
        claim = _claimed(claimed, _names(claimed))
        missing = [network_title(name) for name in NETWORKS if name not in there]
        if missing or not seeds:
            lacking = f" Of the paper's {len(NETWORKS)} networks these are not measured: {', '.join(missing)}."
            return (
                f"Whether NLCEN is the best at ε = {self.last:g} cannot be said.{lacking if missing else ''} Of the "
                f"{len(there)} that are measured, {said} {claim}"
            )
        own = means[there.index("nlcen")]
        best = all(own > mean for name, mean in zip(there, means, strict=True) if name != "nlcen")
        holds = "This comes out here" if best else "This does not come out here"
        return f"The paper: NLCEN has the highest accuracy at the strongest attack. {holds}, by {said} {claim}"

    def _order(self, trio: Sequence[Condition]) -> str:
        """Whether the first of ``trio`` is the best at the largest ε."""
        if any(condition not in self.at_last for condition in trio):
            return "cannot be said"
        seeds, (first, *others) = self._over_common_seeds(trio)
        if not seeds:
            return "cannot be said"
        if any(first <= other for other in others):
            return "no"
        pairs = self.differences[
            (self.differences["first"] == trio[0].title)
            & self.differences["second"].isin([condition.title for condition in trio[1:]])
            & (self.differences["epsilon"] == self.last)
            & (self.differences["metric"] == "DIC")
        ]
        return "yes, claimed" if len(pairs) == len(others) and pairs["claimed"].all() else "yes"

    def _over_common_seeds(self, wanted: Sequence[Condition]) -> tuple[str, list[float]]:
        """The seeds that all ``wanted`` have, in words, and the mean DIC of each at the largest ε over these."""
        scores = [self.at_last[condition] for condition in wanted]
        common = sorted(set.intersection(*(set(score.index) for score in scores))) if scores else []
        said = f"seed{'s' * (len(common) > 1)} {', '.join(map(str, common))}" if common else ""
        return said, [float(score[common].mean()) for score in scores]

    def _strongest(self, differences: pd.DataFrame) -> pd.DataFrame:
        """The differences of DIC at the largest ε."""
        return differences[(differences["epsilon"] == self.last) & (differences["metric"] == "DIC")]

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
        main = [condition.title for condition in self.rows if not condition.reading_keys]
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
        "where seeds differ more than images: it then holds the truth in about 75 % of the cases instead of 95 %. Many "
        "intervals are shown, and none is corrected for their number: some exclude 0 by chance alone."
    )
    return _join(*lines)


def _costs(table: pd.DataFrame, costs: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """Means over the seeds, apart for each kind of machine."""
    own = table[["cell", *CONDITION]].drop_duplicates()
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


def _claimed(rows: pd.DataFrame, names: pd.Series[Any]) -> str:
    """Which of the differences, all at one ε, are claimed, and in which direction."""
    if rows.empty:
        return ""
    few, up = rows["seeds"] < MIN_SEEDS, rows["difference"] > 0
    groups = {
        "claimed above 0": rows["claimed"] & up,
        "claimed below 0": rows["claimed"] & ~up,
        "with 0 inside the interval": ~rows["claimed"] & ~few,
        f"not claimable (fewer than {MIN_SEEDS} seeds)": few,
    }
    parts = [f"{group}: {', '.join(names[chosen]) or 'none'}" for group, chosen in groups.items()]
    return f"Differences {'; '.join(parts)}."


def _names(differences: pd.DataFrame) -> pd.Series[Any]:
    return differences["first"] + " − " + differences["second"]


def _listed(names: pd.Series[Any]) -> str:
    return f" ({', '.join(names)})" if len(names) else ""


def _number(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:,.0f}"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
