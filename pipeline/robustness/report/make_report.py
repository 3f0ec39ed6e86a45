# SPDX-License-Identifier: Apache-2.0
"""The content of ``report.json``, counted from what was found about a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.robustness.assessment import Assessment, Criterion
from pipeline.robustness.scores import CLEAN, COLUMNS, class_columns, worst_case
from pipeline.utils import InputError

from .bootstrap import bootstrap_interval
from .findings import findings
from .instructions import instructions_for_use

__all__ = ["SCHEMA_VERSION", "make_report", "pick"]

SCHEMA_VERSION = 2
METRICS = ("DIC", "JSC")
DISTANCES = ("HD95", "NSD")

Json = dict[str, Any]


def make_report(assessment: Assessment) -> Json:
    """Return the content of ``report.json``, as ``report_schema.json`` describes it.

    Scores are means over the images that have a DIC on the clean picture; how many have none is ``left_out``. ``low``
    and ``high`` are the bootstrap 95 % interval of the mean DIC over images, null with one image. ``HD95`` and ``NSD``
    say on how many images they are defined. ``classes`` are the DIC of each class on the same pictures, where there are
    more than one. ``share`` is (worst case - floor) / (ceiling - floor). Keys for ε are the numbers as text. What is
    not known is null.

    Args:
        assessment: what was found.

    Raises:
        InputError: if the table of scores lacks the clean pictures or an intensity, the floor lacks an image, a
            criterion names a metric that does not rise with quality, or a fact cannot be written as JSON.

    Example:
        >>> make_report(assessment)["worst_case"].keys()
        dict_keys(['2', '8', '32'])
    """
    _check(assessment)
    clean, scores, left_out = _scored(assessment.scores)
    epsilons = [float(epsilon) for epsilon in assessment.epsilons]
    worst = worst_case(scores)
    at = {0.0: clean} | {epsilon: worst[worst["epsilon"] == epsilon] for epsilon in epsilons}
    floor = _floor(assessment.floor, list(clean["image"]))
    ceiling = {epsilon: (assessment.ceiling or {}).get(epsilon) for epsilon in epsilons}
    facts = _plain(dict(assessment.facts), "facts")
    report = {
        "schema_version": SCHEMA_VERSION,
        **{key: facts.get(key) for key in ("network", "data", "commit")},
        "epsilons": epsilons,
        "budget": facts.get("budget"),
        "images": len(clean),
        "left_out": left_out,
        "clean": _summary(clean),
        "attacks": _attacks(scores, epsilons),
        "worst_case": {
            _key(epsilon): _summary(at[epsilon])
            | {
                "share": _share(at[epsilon]["DIC"].mean(), floor, ceiling[epsilon]),
                "found_by": {str(name): int(count) for name, count in at[epsilon]["attack"].value_counts().items()},
            }
            for epsilon in epsilons
        },
        "floor": {_key(epsilon): floor for epsilon in epsilons},
        "floor_reason": assessment.floor_reason,
        "ceiling": {_key(epsilon): value for epsilon, value in ceiling.items()},
        "ceiling_reason": assessment.ceiling_reason,
        "sameness": assessment.sameness,
        "mask_sameness": assessment.mask_sameness,
        "checks": [pick(check, "name", "status", "value", "meaning") for check in assessment.checks],
        "criteria": [_criterion(criterion, scores) for criterion in assessment.criteria],
        "corruptions": _corruptions(assessment.corruptions),
        "convergence": _rows(assessment.convergence, ("epsilon", "gradients", "DIC")),
        "gradients": assessment.gradients,
        "check_gradients": assessment.check_gradients,
        "queries": assessment.queries,
        "per_image": _per_image(clean, worst, epsilons, assessment.floor),
        "gallery": [
            {"file": f"gallery/{place:02d}.png"} | pick(shown, "image", "epsilon", "attack", "DIC", "clean_DIC")
            for place, shown in enumerate(assessment.gallery, start=1)
        ],
        "facts": facts,
    }
    report = _plain(report, "report")
    return report | {"findings": findings(report), "instructions": instructions_for_use(report)}


def pick(source: object, *names: str) -> Json:
    """Return some attributes of an object by their names."""
    return {name: getattr(source, name) for name in names}


def _check(assessment: Assessment) -> None:
    scores = assessment.scores
    for column in COLUMNS:
        if column not in scores:
            raise InputError(f"scores: the column '{column}' is missing; a table of scores has {', '.join(COLUMNS)}.")
    if not ((scores["attack"] == CLEAN) & (scores["epsilon"] == 0)).any():
        raise InputError(f"scores: the clean pictures have no rows (attack '{CLEAN}', ε = 0); score them too.")
    twice = scores[scores.duplicated(["image", "epsilon", "attack"])]
    for row in twice.itertuples():
        raise InputError(f"scores: image '{row.image}' has two rows of {row.attack} at ε = {row.epsilon:g}; keep one.")
    if not assessment.epsilons:
        raise InputError("epsilons: the list is empty; attack at one intensity at least.")
    for epsilon in assessment.epsilons:
        if epsilon not in set(scores["epsilon"]):
            raise InputError(
                f"epsilons: the table of scores has no rows at ε = {epsilon:g}; attack at it, or leave it out."
            )


def _scored(scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return the clean rows and all rows of the images whose clean DIC is a number, and how many have none."""
    clean = scores[scores["attack"] == CLEAN]
    whole = clean[clean["DIC"].notna()]
    if whole.empty:
        raise InputError("scores: no clean picture has a DIC; are all masks empty?")
    images = scores["image"].nunique()
    return whole, scores[scores["image"].isin(whole["image"])], images - len(whole)


def _attacks(scores: pd.DataFrame, epsilons: Sequence[float]) -> Json:
    """The means of each attack by itself, noise included, with the count of images that it was tried on."""
    found: Json = {}
    for name in scores["attack"].unique():
        if name == CLEAN:
            continue
        own = scores[(scores["attack"] == name) & scores["DIC"].notna()]
        found[str(name)] = {
            _key(epsilon): {metric: rows[metric].mean() for metric in METRICS} | {"images": rows["image"].nunique()}
            for epsilon in epsilons
            if len(rows := own[own["epsilon"] == epsilon])
        }
    return found


def _summary(rows: pd.DataFrame) -> Json:
    low = high = None
    if len(rows) > 1:
        ends = bootstrap_interval(rows["DIC"].to_numpy(dtype=np.float64)[None])
        low, high = (min(float(end), 1.0) for end in ends)  # a weighted sum of ones may be 1 + 1e-16
    means = {metric: rows[metric].mean() for metric in METRICS}
    distances = {name: {"mean": rows[name].mean(), "images": int(rows[name].notna().sum())} for name in DISTANCES}
    classes = [rows[name].mean() for name in class_columns(rows)]
    return means | {"low": low, "high": high} | distances | ({"classes": classes} if classes else {})


def _floor(floor: Mapping[str, float] | None, images: Sequence[str]) -> float | None:
    if floor is None:
        return None
    for image in images:
        if image not in floor:
            raise InputError(f"floor: image '{image}' has none; give the constant mask's DIC of every image.")
    return float(np.mean([floor[image] for image in images]))


def _share(dic: float, floor: float | None, ceiling: float | None) -> float | None:
    if floor is None or ceiling is None or ceiling <= floor:
        return None
    return (dic - floor) / (ceiling - floor)


def _criterion(criterion: Criterion, scores: pd.DataFrame) -> Json:
    """A criterion with what was measured; ``met`` is null where neither that ε nor a smaller one decides."""
    reached = {epsilon: _reached(criterion, scores, epsilon) for epsilon in sorted(scores["epsilon"].unique())}
    value = reached.get(criterion.epsilon, np.nan)
    broken = [epsilon for epsilon, each in reached.items() if each < criterion.at_least]
    met = None if np.isnan(value) else True
    return pick(criterion, "metric", "epsilon", "at_least", "share") | {
        "value": value,
        "met": False if broken and broken[0] <= criterion.epsilon else met,
        "breaks_at": broken[0] if broken else None,
    }


def _reached(criterion: Criterion, scores: pd.DataFrame, epsilon: float) -> float:
    """The bound that the mean over the images, or the share of them, just reaches.

    Of each image it is the lowest value that anything within ε has, which need not be that of lowest DIC.
    """
    lowest = scores[scores["epsilon"] <= epsilon].groupby("image")[criterion.metric].min().dropna()
    if criterion.share is None or lowest.empty:
        return float(lowest.mean())
    # of 100 images 0.07 are 7, not the 8 that 0.07 * 100 rounds up to
    needed = math.ceil(round(criterion.share * len(lowest), 6))
    return float(lowest.nlargest(needed).iloc[-1])


def _corruptions(table: pd.DataFrame) -> list[Json]:
    if table.empty:
        return []
    groups = table[table["DIC"].notna()].groupby(["corruption", "severity"], sort=False)
    return [
        {"corruption": name, "severity": int(severity), "images": rows["image"].nunique()}
        | {metric: rows[metric].mean() for metric in METRICS}
        for (name, severity), rows in groups
    ]


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> list[Json]:
    return [] if table.empty else [dict(row) for row in table[list(columns)].to_dict("records")]


def _per_image(
    clean: pd.DataFrame, worst: pd.DataFrame, epsilons: Sequence[float], floor: Mapping[str, float] | None
) -> list[Json]:
    """The images, worst first at the largest ε."""
    dic, attack = (worst.pivot(index="image", columns="epsilon", values=column) for column in ("DIC", "attack"))
    found = [
        {
            "image": image,
            "clean": on_clean,
            "worst_case": {_key(epsilon): dic.at[image, epsilon] for epsilon in epsilons},
            "found_by": {_key(epsilon): attack.at[image, epsilon] for epsilon in epsilons},
            "floor": None if floor is None else floor[image],
        }
        for image, on_clean in zip(clean["image"], clean["DIC"], strict=True)
    ]
    return sorted(found, key=lambda row: (row["worst_case"][_key(epsilons[-1])], str(row["image"])))


def _key(epsilon: float) -> str:
    return f"{epsilon:g}"


def _plain(value: Any, name: str) -> Any:
    """Return ``value`` as JSON has it: NaN becomes null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {_name(key): _plain(item, f"{name}: {key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, name) for item in value]
    raise InputError(f"{name}: a {type(value).__name__} cannot be written as JSON; give a text or a number.")


def _name(key: Any) -> str:
    return f"{key:g}" if isinstance(key, float) else str(key)
