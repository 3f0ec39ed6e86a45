# SPDX-License-Identifier: Apache-2.0
"""Pairs of conditions that the paper makes a statement about, and their differences."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from .condition import FULL_STAGE, LAST_STAGE, PART_STAGES, SCRATCH_STAGES, Condition, by_condition, without_nlce
from .statistics import paired_differences

__all__ = ["Pair", "differences", "wanted_pairs"]


@dataclass(frozen=True)
class Pair:
    """Two conditions whose difference, ``first`` minus ``second``, the paper makes a statement about.

    Args:
        question: ``"nlce"`` (with and without NLCE), ``"network"`` (NLCEN and another network) or ``"ablation"``.
        first: the one that should be higher.
        second: the other.
    """

    question: str
    first: Condition
    second: Condition


def wanted_pairs(there: Collection[Condition]) -> list[Pair]:
    """Return the pairs among the conditions ``there``: with and without NLCE, NLCEN and others, stages of the ablation.

    Under another reading of the attack both of a pair are read alike. Another training of NLCE is compared with the
    networks without NLCE of the main recipe, which it leaves as they are; a network that was trained to resist with one
    that was, too.
    """
    known = {condition: condition for condition in there}  # with what each is called
    pairs = [pair for first in there for pair in _pairs_of(first, there) if pair.second in known]
    return [replace(pair, second=known[pair.second]) for pair in pairs]


def differences(table: pd.DataFrame, draws: int = 10_000) -> pd.DataFrame:
    """Return ``paired_differences`` of every wanted pair, over the seeds that both have.

    Args:
        table: see ``check_results``.
        draws: number of bootstrap samples.

    Returns:
        ``data``, ``question``, ``first`` and ``second`` (titles), then the columns of ``paired_differences``.

    Raises:
        InputError: if the two of a pair were scored on other images or intensities.
    """
    rows = by_condition(table)
    parts = []
    for pair in wanted_pairs(rows):
        first, second = rows[pair.first], rows[pair.second]
        seeds = set(first["seed"]) & set(second["seed"])
        if not seeds:
            continue
        part = paired_differences(
            first[first["seed"].isin(seeds)],
            second[second["seed"].isin(seeds)],
            (_describe(pair.first), _describe(pair.second)),
            draws,
        )
        labels = {
            "data": pair.first.data,
            "question": pair.question,
            "first": pair.first.title,
            "second": pair.second.title,
        }
        for place, (name, value) in enumerate(labels.items()):
            part.insert(place, name, value)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=EMPTY)


EMPTY = ["data", "question", "first", "second"]
EMPTY += ["metric", "epsilon", "difference", "low", "high", "seeds", "images", "claimed"]


def _pairs_of(first: Condition, there: Collection[Condition]) -> Iterator[Pair]:
    if not first.nlce:
        return
    plain = without_nlce(first, first.network)
    if first.stage:
        earlier = {FULL_STAGE: PART_STAGES, LAST_STAGE: (FULL_STAGE,)}.get(first.stage, ())
        yield Pair("ablation", first, plain)
        for stage in earlier:
            yield Pair("ablation", first, replace(first, stage=stage))
    else:
        yield Pair("nlce", first, plain)
        if first.network == "nlcen":
            for stage in SCRATCH_STAGES:
                yield Pair("ablation", first, replace(first, stage=stage))
            for network in dict.fromkeys(other.network for other in there if other.network != "nlcen"):
                yield Pair("network", first, without_nlce(first, network))


def _describe(condition: Condition) -> str:
    return f"{condition.title} on {condition.data}"
