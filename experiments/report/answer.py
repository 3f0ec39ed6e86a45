# SPDX-License-Identifier: Apache-2.0
"""What differences come to: which are claimed, and in which direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .pairs import Pair
from .scores import DASH
from .statistics import MIN_SEEDS

__all__ = ["answer"]

ABOVE, BELOW, OPEN = "claimed above 0", "claimed below 0", "with 0 inside the interval"
FEW = f"not claimable (fewer than {MIN_SEEDS} seeds)"


def answer(compared: Mapping[Pair, pd.DataFrame], epsilons: Sequence[float]) -> dict[str, Any] | None:
    """Return what the differences of DIC that answer one question come to; None if there are none.

    Args:
        compared: see ``differences``.
        epsilons: those that are shown, rising.

    Returns:
        ``table``; ``count`` of the pairs; ``last``, the largest ε; ``higher``, the names of the pairs whose difference
        at their largest ε is above 0; ``verdicts``, the names by what can be said there; ``few``, whether some have too
        few seeds. The name of a pair whose largest ε is smaller says so.
    """
    if not compared:
        return None
    parts = {pair: part[part["metric"] == "DIC"].set_index("epsilon") for pair, part in compared.items()}
    header = ["difference of DIC", *(f"ε = {epsilon:g}" for epsilon in epsilons)]
    rows = [[_both(pair), *(_show(part, epsilon) for epsilon in epsilons)] for pair, part in parts.items()]
    last = max(part.index[-1] for part in parts.values())
    ends = [(_name(pair, part.index[-1], last), part.iloc[-1]) for pair, part in parts.items()]
    verdicts = [(name, _verdict(end)) for name, end in ends]
    return {
        "table": {"header": header, "rows": rows},
        "count": len(ends),
        "last": last,
        "higher": [name for name, end in ends if end["difference"] > 0],
        "verdicts": {what: [name for name, own in verdicts if own == what] for what in (ABOVE, BELOW, OPEN, FEW)},
        "few": any(own == FEW for _, own in verdicts),
    }


def _both(pair: Pair) -> str:
    return f"{pair.first.title} − {pair.second.title}"


def _name(pair: Pair, own: float, last: float) -> str:
    """What a sentence calls a pair; one with a comma would be taken for two."""
    name = pair.first.title if pair.question == "nlce" else _both(pair)
    name = f"*{name}*" if "," in name else name
    return name if own == last else f"{name} at ε = {own:g}"


def _verdict(end: pd.Series[Any]) -> str:
    if end["seeds"] < MIN_SEEDS:
        return FEW
    if not end["claimed"]:
        return OPEN
    return ABOVE if end["difference"] > 0 else BELOW


def _show(part: pd.DataFrame, epsilon: float) -> str:
    if epsilon not in part.index:
        return DASH
    row = part.loc[epsilon]
    text = f"{row['difference']:+.3f}"
    if not np.isnan(row["low"]):
        text += f" ({row['low']:+.3f} to {row['high']:+.3f})"
    return f"**{text}**" if row["claimed"] else text
