# SPDX-License-Identifier: Apache-2.0
"""Means, deviations, and differences with bootstrap intervals over seeds and images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.robustness.report import bootstrap_interval
from pipeline.utils import InputError

from .condition import CONDITION, METRICS, by_condition

__all__ = ["MIN_SEEDS", "check_results", "paired_differences", "summarize"]

# no difference is claimed with fewer
MIN_SEEDS = 3

Array = npt.NDArray[np.float64]


def check_results(table: pd.DataFrame) -> None:
    """Refuse a table from which means and differences would come out wrong.

    Args:
        table: one row per condition (see ``Condition``), ``seed``, ``epsilon`` and ``image``, with the scores ``DIC``
            and ``JSC``, and ``cell`` and ``commit`` of the run, as ``collect`` has checked them.

    Raises:
        InputError: if seeds of one condition have other images or intensities.
    """
    for condition, rows in by_condition(table).items():
        _cube(rows, f"{condition.title} on {condition.data}")


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean and deviation of the scores for each condition and ε.

    Args:
        table: see ``check_results``.

    Returns:
        One row per condition and ε, conditions in the order of ``table``, ε rising: the condition's columns,
        ``title``, ``epsilon``, the numbers of ``seeds`` and ``images``, ``DIC`` and ``JSC`` (mean over the seeds of the
        mean over the images), ``DIC_sd`` and ``JSC_sd`` (sample standard deviation over the seeds; none of one seed).
    """
    parts = []
    for condition, rows in by_condition(table).items():
        by_seed = rows.groupby(["epsilon", "seed"])[list(METRICS)].mean().groupby("epsilon")
        part = pd.DataFrame({"seeds": rows["seed"].nunique(), "images": rows["image"].nunique()}, by_seed.groups)
        for metric in METRICS:
            part[metric], part[f"{metric}_sd"] = by_seed[metric].mean(), by_seed[metric].std()
        part = part.rename_axis("epsilon").reset_index()
        labels = {column: getattr(condition, column) for column in CONDITION} | {"title": condition.called}
        parts.append(part.assign(**labels)[[*CONDITION, "title", *part.columns]])
    return pd.concat(parts, ignore_index=True)


def paired_differences(
    first: pd.DataFrame, second: pd.DataFrame, names: tuple[str, str], draws: int = 10_000
) -> pd.DataFrame:
    """Return mean differences ``first`` minus ``second``, paired by seed and image, with 95 % bootstrap intervals.

    Args:
        first: rows of one condition, see ``by_condition``.
        second: rows of the other, of the same seeds, images and intensities.
        names: of the two, for messages.
        draws: number of bootstrap samples.

    Returns:
        One row per metric and ε: ``metric``, ``epsilon``, ``difference``, ``low`` and ``high`` (the interval; none with
        fewer than ``MIN_SEEDS`` seeds), the numbers of ``seeds`` and ``images``, and ``claimed``: whether the interval
        is there and 0 outside it.

    Raises:
        InputError: if seeds, images or intensities of the two differ.
    """
    for column, plural in (("seed", "seeds"), ("image", "images"), ("epsilon", "intensities")):
        _check_same(set(first[column]), set(second[column]), plural, names)
    difference = _cube(first, names[0]) - _cube(second, names[1])
    seeds, images = difference.shape[:2]
    mean = difference.mean(axis=(0, 1))
    low = high = np.full_like(mean, np.nan)
    if seeds >= MIN_SEEDS:
        low, high = bootstrap_interval(difference, draws)
    rows = []
    for place, metric in enumerate(METRICS):
        for row, epsilon in enumerate(sorted(set(first["epsilon"]))):
            ends = low[row, place], high[row, place]
            rows.append(
                {
                    "metric": metric,
                    "epsilon": epsilon,
                    "difference": mean[row, place],
                    "low": ends[0],
                    "high": ends[1],
                    "seeds": seeds,
                    "images": images,
                    "claimed": bool(ends[0] > 0 or ends[1] < 0),
                }
            )
    return pd.DataFrame(rows)


def _cube(rows: pd.DataFrame, name: str) -> Array:
    """Return the scores of one condition as (seeds, images, intensities, metrics), each axis sorted."""
    indexed = rows.set_index(["seed", "image", "epsilon"])[list(METRICS)].sort_index()
    for seed, image, epsilon in indexed.index[indexed.index.duplicated()]:
        raise InputError(f"{name}: seed {seed} has two scores of image '{image}' at ε = {epsilon:g}; keep one.")
    shape = [indexed.index.get_level_values(level).nunique() for level in range(3)]
    if len(indexed) != np.prod(shape):
        whole = pd.MultiIndex.from_product([sorted(set(rows[column])) for column in ("seed", "image", "epsilon")])
        seed, image, epsilon = whole.difference(indexed.index)[0]
        raise InputError(
            f"{name}: seed {seed} has no score of image '{image}' at ε = {epsilon:g}, as other seeds have; "
            "run that cell again."
        )
    return indexed.to_numpy(dtype=np.float64).reshape(*shape, len(METRICS))


def _check_same(first: set[Any], second: set[Any], what: str, names: tuple[str, str]) -> None:
    for own, other, name in ((first, second, names[0]), (second, first, names[1])):
        extra = [str(value) for value in sorted(own - other)]
        if extra:
            shown = ", ".join(extra[:3]) + (f" and {len(extra) - 3} more" if len(extra) > 3 else "")
            raise InputError(
                f"{names[0]} and {names[1]} cannot be paired, their {what} differ: only {name} has {shown}; "
                "compare runs of the same."
            )
