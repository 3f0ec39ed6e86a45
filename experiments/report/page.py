# SPDX-License-Identifier: Apache-2.0
"""Puts what the results come to on one page, in Markdown: this file counts, ``page.md.jinja`` speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from experiments.markdown import fill_page
from experiments.results import describe_commits

from .condition import CONDITION, by_condition
from .drawn_figure import DrawnFigure
from .pairs import Pair
from .paper_sets import ReportedData
from .scores import DASH, Table
from .section import Section
from .statistics import MIN_SEEDS

__all__ = ["make_page"]

TEMPLATE = Path(__file__).with_name("page.md.jinja")

# the columns of the table of costs, and what is shown of several seeds
COSTS = {
    "parameters": "max",
    "gradients_per_image": "max",
    "training_seconds": "mean",
    "evaluation_seconds": "mean",
    "peak_memory_mb": "max",
}


def make_page(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    compared: Mapping[Pair, pd.DataFrame],
    costs: pd.DataFrame,
    data_sets: Sequence[ReportedData],
    figures: Mapping[str, Sequence[DrawnFigure]],
) -> str:
    """Return the page of a report.

    Args:
        table: see ``check_results``.
        summary: what ``summarize`` makes of it.
        compared: what ``differences`` makes of it.
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
        data_sets=[Section(table, summary, compared, figures[data.name], data) for data in data_sets],
        costs=_costs(table, costs, titles),
        lacking=_lacking(table, titles),
    )


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


def _number(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:,.0f}"
