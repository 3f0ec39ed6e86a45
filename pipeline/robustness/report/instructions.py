# SPDX-License-Identifier: Apache-2.0
"""What the instructions for use may say: a few plain sentences with the report's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.robustness.assessment import MEASURED

from .words import given, interval, noun

__all__ = ["instructions_for_use"]


def instructions_for_use(report: Mapping[str, Any]) -> list[str]:
    """Return three to five sentences for the instructions for use.

    Args:
        report: the content of ``report.json``, without ``instructions``.

    Example:
        >>> text = " ".join(instructions_for_use(make_report(assessment)))
    """
    sentences = [_clean(report), _attacked(report)]
    sentences += _below_the_floor(report)
    if report["corruptions"]:
        row = min(report["corruptions"], key=lambda row: row["DIC"])
        sentences.append(
            "Of the corruptions tested, which are applied to the picture as the network gets it, after the "
            f"preprocessing, {row['corruption']} at severity {row['severity']} of 5 costs most: the mean DIC is "
            f"{row['DIC']:.3f}."
        )
    return [*sentences, _limits(report)]


def _clean(report: Mapping[str, Any]) -> str:
    on = f" of {report['data']}" if report["data"] else ""
    brackets = "" if report["clean"]["low"] is None else ", with its 95 % interval in brackets"
    return f"On {noun(report['images'], 'test image')}{on} the mean DIC is {interval(report['clean'])}{brackets}."


def _attacked(report: Mapping[str, Any]) -> str:
    worst = list(report["worst_case"].items())
    (first, row), (last, at_last) = worst[0], worst[-1]
    more = "" if first == last else f", and at {last} parts {at_last['DIC']:.3f}"
    return (
        f"If someone deliberately changes each pixel by at most {first} of 255 parts of the range"
        f"{_ends(report)} of the preprocessed picture, it is {row['DIC']:.3f} in the worst case found{more}."
    )


def _ends(report: Mapping[str, Any]) -> str:
    facts = report["facts"]
    if "intensity_range" not in facts:
        return ""
    ends = facts["intensity_range"]
    # what was measured has more digits than anybody needs; what was stated is said as it was
    rounded = [float(f"{end:.3g}") for end in ends] if facts.get("range_source") == MEASURED else ends
    return f" {given(rounded)}"


def _below_the_floor(report: Mapping[str, Any]) -> list[str]:
    floor = next(iter(report["floor"].values()))
    rows = {"0": report["clean"]} | report["worst_case"]
    below = [epsilon for epsilon, row in rows.items() if floor is not None and row["DIC"] < floor]
    if not below:
        return []
    when = "Without any such change" if below[0] == "0" else f"From {below[0]} of 255 parts on"
    return [
        f"{when} the masks can be worse than one that is the same for all pictures (DIC {floor:.3f}), and must not be "
        "relied on."
    ]


def _limits(report: Mapping[str, Any]) -> str:
    failed = sum(check["status"] == "failed" for check in report["checks"])
    if failed:
        return (
            f"Do not rely on these figures: {noun(failed, 'check')} of {len(report['checks'])} failed, and the "
            "network may be less robust than they say."
        )
    return "These are the strongest attacks that were tried, not a guarantee: stronger ones may exist."
