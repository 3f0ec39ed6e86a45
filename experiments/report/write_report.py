# SPDX-License-Identifier: Apache-2.0
"""Writes the report: tables, differences, figures, and the page that holds them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.utils import atomic_path

from .condition import CONDITION, METRICS, Condition, distinct_titles
from .curves import draw_curves
from .page import make_page
from .pairs import difference_table, differences
from .paper_sets import ReportedData, describe_data
from .pictures import draw_pictures
from .statistics import check_results, summarize

__all__ = ["write_report"]


def write_report(
    table: pd.DataFrame,
    costs: pd.DataFrame,
    results_dir: Path,
    runs: Mapping[str, Path] | None = None,
) -> list[Path]:
    """Write what the results come to.

    Everything follows from the arguments alone: the same results give the same files, byte for byte.

    Args:
        table: one row per condition, seed, ε and image, see ``check_results``.
        costs: one row per cell, see ``collect``; what was not measured is missing. The paper's numbers stand beside
            data sets whose description is that of its own.
        results_dir: folder for ``summary.csv`` (mean and deviation for each condition and ε), ``differences.csv`` (with
            95 % intervals), ``summary.md`` and ``figures``.
        runs: run folders by cell, for the pictures under attack; without them there are no such figures.

    Returns:
        The files written.

    Raises:
        InputError: if the table is not whole (see ``check_results``), the two of a pair were scored on other images, or
            a file of adversarial pictures is damaged.
    """
    table = distinct_titles(table)
    check_results(table)
    descriptions = costs.groupby("data")["data_description"].first()  # the cells of a data set have the same data
    data_sets = [describe_data(name, descriptions[name]) for name in table["data"].unique()]
    summary = summarize(table)
    compared = differences(table)
    folder = results_dir / "figures"
    figures = {
        data.name: [*draw_pictures(table, data, runs or {}, folder), *draw_curves(summary, data, folder)]
        for data in data_sets
    }
    written = [
        _write_csv(_beside_paper(summary, data_sets), results_dir / "summary.csv"),
        _write_csv(difference_table(compared), results_dir / "differences.csv"),
        *(file for drawn in figures.values() for figure in drawn for file in figure.files),
    ]
    with atomic_path(results_dir / "summary.md") as path:
        path.write_text(make_page(table, summary, compared, costs, data_sets, figures), encoding="utf-8")
    return [*written, results_dir / "summary.md"]


def _beside_paper(summary: pd.DataFrame, data_sets: Sequence[ReportedData]) -> pd.DataFrame:
    """Add the paper's numbers, where there are any, to the rows that they belong to."""
    scores = {Condition(data.name, "nlcen", True): data.nlcen for data in data_sets if data.nlcen}
    summary = summary.copy()
    keys = [Condition(*key) for key in summary[CONDITION].itertuples(index=False, name=None)]
    for metric in METRICS if scores else ():
        numbers = [
            scores.get(key, {}).get(metric, {}).get(epsilon)
            for key, epsilon in zip(keys, summary["epsilon"], strict=True)
        ]
        summary[f"{metric}_paper"] = pd.Series(numbers, index=summary.index, dtype="float64")
    return summary


def _write_csv(table: pd.DataFrame, path: Path) -> Path:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    return path
