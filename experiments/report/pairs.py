# SPDX-License-Identifier: Apache-2.0
"""Pairs of conditions that the paper makes a statement about, and their differences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from .condition import FULL_STAGE, LAST_STAGE, PART_STAGES, SCRATCH_STAGES, Condition, by_condition, without_nlce
from .statistics import paired_differences

__all__ = ["Pair", "difference_table", "differences", "wanted_pairs"]

COLUMNS = ["data", "question", "first", "second"]
COLUMNS += ["metric", "epsilon", "difference", "low", "high", "seeds", "images", "claimed"]


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


def differences(table: pd.DataFrame, draws: int = 10_000) -> dict[Pair, pd.DataFrame]:
    """Return ``paired_differences`` of every wanted pair that has common seeds, over these.

    Args:
        table: see ``check_results``.
        draws: number of bootstrap samples.

    Raises:
        InputError: if the two of a pair were scored on other images or intensities.
    """
    rows = by_condition(table)
    found = {}
    for pair in wanted_pairs(rows):
        first, second = rows[pair.first], rows[pair.second]
        seeds = set(first["seed"]) & set(second["seed"])
        if seeds:
            found[pair] = paired_differences(
                first[first["seed"].isin(seeds)],
                second[second["seed"].isin(seeds)],
                (_describe(pair.first), _describe(pair.second)),
                draws,
            )
    return found


def difference_table(compared: Mapping[Pair, pd.DataFrame]) -> pd.DataFrame:
    """Return what ``differences`` makes as one table, the data set, the question and the two titles first."""
    parts = [
        part.assign(data=pair.first.data, question=pair.question, first=pair.first.title, second=pair.second.title)
        for pair, part in compared.items()
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


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
