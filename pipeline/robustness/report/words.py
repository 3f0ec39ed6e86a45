# SPDX-License-Identifier: Apache-2.0
"""How findings, instructions and page write numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

__all__ = ["NOT_GIVEN", "a_few", "given", "interval", "noun", "score", "wanted"]

NOT_GIVEN = "not given"

Item = TypeVar("Item")


def score(value: float | None) -> str:
    """A score, which need not be known."""
    return "–" if value is None else f"{value:.3f}"


def interval(summary: Mapping[str, Any]) -> str:
    """A mean DIC with its interval in brackets, if it has one."""
    ends = "" if summary["low"] is None else f" ({summary['low']:.3f} to {summary['high']:.3f})"
    return f"{summary['DIC']:.3f}{ends}"


def noun(count: int, name: str, plural: str = "") -> str:
    """A count with its noun: "1 image", "3 images"."""
    return f"{count} {name if count == 1 else plural or f'{name}s'}"


def given(value: Any) -> str:
    """A fact as text."""
    if value is None or value in ("", {}, []):
        return NOT_GIVEN
    if isinstance(value, list):
        return (" to " if len(value) == 2 else ", ").join(given(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {given(item)}" for name, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def wanted(criterion: Mapping[str, Any]) -> str:
    """What a criterion asks for: "mean DIC of at least 0.8", "DIC of at least 0.8 on 95 % of the images"."""
    asked, share = f"{criterion['metric']} of at least {criterion['at_least']:g}", criterion["share"]
    return f"mean {asked}" if share is None else f"{asked} on {100 * share:g} % of the images"


def a_few(items: Sequence[Item], most: int) -> list[Item]:
    """The first, the last, and evenly spread ones between them."""
    places = np.unique(np.linspace(0, len(items) - 1, min(len(items), most)).round().astype(int))
    return [items[place] for place in places]
