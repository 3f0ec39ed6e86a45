# SPDX-License-Identifier: Apache-2.0
"""Puts the entries of the leaderboard on one page, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from experiments.markdown import fill_page

from .entry import EPSILONS, LEAST_CHECKS, LEAST_IMAGES, RANKED_BUDGETS, why_not_ranked

__all__ = ["make_leaderboard"]

TEMPLATE = Path(__file__).with_name("page.md.jinja")


def make_leaderboard(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the page: for each data set the networks in the order of their worst case at ε = 8, then those not ranked.

    Args:
        entries: see ``read_entries``.

    Example:
        >>> make_leaderboard([entry]).splitlines()[0]
        '# Leaderboard'
    """
    ranked = sorted((each for each in entries if not why_not_ranked(each)), key=_order)
    return fill_page(
        TEMPLATE,
        epsilons=EPSILONS,
        budgets=" or ".join(RANKED_BUDGETS),
        least_images=LEAST_IMAGES,
        least_checks=LEAST_CHECKS,
        data_sets={name: _ranks([_row(each) for each in own]) for name, own in groupby(ranked, key=_data)},
        others=[(_row(each), "; ".join(why_not_ranked(each))) for each in entries if why_not_ranked(each)],
    )


def _data(entry: Mapping[str, Any]) -> str:
    return str(entry["report"]["data"])


def _order(entry: Mapping[str, Any]) -> tuple[str, float, str]:
    return _data(entry), -entry["report"]["worst_case"]["8"]["DIC"], entry["name"]


def _ranks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Number the rows of a table; those whose worst case at ε = 8 is printed alike share a place."""
    place = 0
    for number, row in enumerate(rows, start=1):
        if number == 1 or row["at 8"] != rows[number - 2]["at 8"]:
            place = number
        row["place"] = place
    return rows


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of an entry, as texts."""
    report = entry["report"]
    worst, paper, facts = report["worst_case"], report["paper"] or {}, report["facts"]
    passed = [check["status"] for check in report["checks"]]
    # of the first version: the lowest at this ε or a smaller one
    mark = "" if report.get("schema_version", 1) > 1 else "*"
    return {
        "name": entry["name"],
        "training": _text(entry["training"]),
        "data": _text(report["data"]),
        "clean": _number(report["clean"]["DIC"]),
        "at 8": _number(worst.get("8", {}).get("DIC")),
        "paper": [_number(paper.get(epsilon, {}).get("DIC")) + mark for epsilon in EPSILONS],
        "worst": [_interval(worst.get(epsilon, {})) for epsilon in EPSILONS],
        "share": [_number(worst.get(epsilon, {}).get("share"), 2) for epsilon in EPSILONS],
        "floor": _number(next(iter(report["floor"].values()))),
        "checks": f"{passed.count('passed')} of {len(passed) - passed.count('not applicable')}",
        "budget": f"{report['budget']}, {report['images']} images",
        "parameters": "–" if facts["parameters"] is None else f"{facts['parameters'] / 1e6:.1f}",
        "seconds": "–" if facts["seconds"] is None else f"{facts['seconds']:.0f}",
        "device": _text(facts["device"]),
        "date": _text(facts["date"]),
        "commit": (report["commit"] or "unknown")[:7],
        "report": entry["report_sha256"][:12],
        "first_finding": _text(report["first_finding"]),
    }


def _text(value: str | None) -> str:
    """A text that does not end its cell."""
    return "–" if value is None else " ".join(value.split()).replace("|", "\\|")


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _interval(found: Mapping[str, Any]) -> str:
    if found.get("low") is None or found.get("high") is None:
        return _number(found.get("DIC"))
    return f"{found['DIC']:.3f} ({found['low']:.3f}–{found['high']:.3f})"
