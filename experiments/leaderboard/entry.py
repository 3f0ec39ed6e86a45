# SPDX-License-Identifier: Apache-2.0
"""An entry of the leaderboard: what it takes of a report, and the rules by which it is ranked."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import jsonschema

from pipeline.robustness.report.check_report import REPORT_SCHEMA, read_report
from pipeline.utils import InputError, atomic_path

__all__ = ["EPSILONS", "LEAST_CHECKS", "LEAST_IMAGES", "RANKED_BUDGETS", "add_entry", "read_entries", "why_not_ranked"]

SCHEMA = Path(__file__).with_name("entry_schema.json")
RANKED_BUDGETS = ("standard", "full")
LEAST_IMAGES = 16
LEAST_CHECKS = 8
EPSILONS = ("8", "16", "32")

# no image's name or score, and no path, goes into an entry
_FIGURES = (
    "schema_version",
    "network",
    "commit",
    "epsilons",
    "budget",
    "images",
    "left_out",
    "clean",
    "worst_case",
    "floor",
)
_FACTS = (
    "device",
    "date",
    "parameters",
    "seconds",
    "weights_sha256",
    "network_sha256",
    "data_sha256",
    "intensity_range",
)
_FIRST_RANGE = [0.0, 1.0]  # of all entries from before it was kept


def add_entry(report: Path, folder: Path, name: str, training: str, data: str) -> Path:
    """Write the entry of a network, or write it anew for another report of the same weights and data.

    Args:
        report: ``report.json`` of its assessment.
        folder: of all entries.
        name: of the network on the page, in lower-case letters, digits and hyphens; the entry's file has it too.
        training: one sentence on how it was trained.
        data: what the test pictures are called, the same words for the same pictures; a report has their path.

    Returns:
        The file.

    Raises:
        InputError: if the report is none, or its means are not those of its images; if the name has other characters or
            is that of other weights or data; if a text is empty or of several lines; or if other entries call other
            pictures, or pictures of another intensity range, the same.

    Example:
        >>> add_entry(Path("robustness/report.json"), Path("docs/leaderboard"), "my-unet", "100 epochs.", "my set")
        PosixPath('docs/leaderboard/my-unet.json')
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise InputError(f"--name: '{name}' must consist of lower-case letters, digits and hyphens, such as my-unet.")
    for option, text, what in (("training", training, "how the network was trained"), ("data", data, "what data")):
        if len(text.strip().splitlines()) != 1:
            raise InputError(f"--{option}: say in one line {what}.")
    content = read_report(report)
    _check_means(content, report)
    entry = {
        "name": name,
        "training": training.strip(),
        "report_sha256": hashlib.sha256(report.read_bytes()).hexdigest(),
        "report": {key: content[key] for key in _FIGURES}
        | {
            "data": data.strip(),
            "paper": content["attacks"].get("paper"),
            "checks": [{key: check[key] for key in ("name", "status", "value")} for check in content["checks"]],
            "gradients": content["gradients"],
            "facts": {key: content["facts"].get(key) for key in _FACTS},
            "first_finding": content["findings"][0],
        },
    }
    _check_form(entry, f"{report} gives")
    for other in folder.glob("*.json"):
        _check_data(_read(other), entry)
    file = folder / f"{name}.json"
    if file.exists() and _subject(_read(file)) != _subject(entry):
        raise InputError(f"--name: {file} is of other weights or other data; give another name, or remove it.")
    with atomic_path(file) as path:
        path.write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def read_entries(folder: Path) -> list[dict[str, Any]]:
    """Return all entries of a folder, in the order of their names.

    Raises:
        InputError: if there is none, a file is no entry, or two entries call different test pictures, or pictures of
            different intensity ranges, the same.
    """
    entries = [_read(path) for path in sorted(folder.glob("*.json"))]
    if not entries:
        raise InputError(f"{folder} has no entry; add one with --add REPORT --name NAME --training TEXT --data NAME.")
    # those without a hash last: between two others they would hide that these differ
    for pair in pairwise(
        sorted(entries, key=lambda e: (e["report"]["data"], e["report"]["facts"]["data_sha256"] is None))
    ):
        _check_data(*pair)
    return entries


def _check_means(report: Mapping[str, Any], path: Path) -> None:
    """Refuse a report in which a mean was changed by hand, or an image taken out."""
    rows, (floor, *_) = report["per_image"], report["floor"].values()
    means = {"clean": (report["clean"], [row["clean"] for row in rows])}
    means |= {
        f"worst_case: {epsilon}": (worst, [row["worst_case"].get(epsilon, math.nan) for row in rows])
        for epsilon, worst in report["worst_case"].items()
    }
    if floor is not None:
        means["floor"] = ({"DIC": floor}, [math.nan if row["floor"] is None else row["floor"] for row in rows])
    for what, (stated, values) in means.items():
        if len(values) != report["images"] or not math.isclose(fmean(values), stated["DIC"], abs_tol=1e-6):
            raise InputError(
                f"{path}: {what}: {stated['DIC']:.3f} is not the mean of per_image over the {report['images']} images; "
                "give the report as the assessment has written it."
            )


def _check_data(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Refuse two entries that call different test pictures the same, unless the second takes the first one's place."""
    if first["name"] == second["name"] or first["report"]["data"] != second["report"]["data"]:
        return
    one, other = first["report"]["facts"], second["report"]["facts"]
    names = f"{first['name']} and {second['name']} call their data '{first['report']['data']}', but"
    hashes = {one["data_sha256"], other["data_sha256"]} - {None}
    if len(hashes) > 1:
        raise InputError(f"{names} their test pictures or masks differ; name the data of one otherwise.")
    ranges = [facts.get("intensity_range") or _FIRST_RANGE for facts in (one, other)]
    if ranges[0] != ranges[1]:
        shown = " and of ".join(f"[{low:g}, {high:g}]" for low, high in ranges)
        raise InputError(f"{names} ε counts 255th parts of {shown}; assess both with one intensity_range.")


def _read(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); add the entry anew.") from error
    _check_form(entry, f"{path} is")
    if entry["name"] != path.stem:
        raise InputError(f"{path} is no entry of the name '{entry['name']}'; add it anew.")
    return dict(entry)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _check_form(entry: Any, what: str) -> None:
    """Refuse an entry that the page cannot be made from; ``what`` begins the message."""
    schema, report = (json.loads(path.read_text(encoding="utf-8")) for path in (SCHEMA, REPORT_SCHEMA))
    schema["$defs"] = {"report": report | {"$id": REPORT_SCHEMA.name}}  # to which it refers
    problem = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(entry))
    if problem is not None:
        where = "".join(f"{part}: " for part in problem.absolute_path)
        raise InputError(f"{what} no entry of the leaderboard ({where}{problem.message}); see {SCHEMA.name}.")


def _subject(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """What an entry is about; a network that was made in Python has no file of weights, but always parameters."""
    report = entry["report"]
    return report["facts"]["network_sha256"], report["facts"]["data_sha256"], report["data"]


def why_not_ranked(entry: Mapping[str, Any]) -> list[str]:
    """Return the rules that an entry does not keep, in words; none for one that is ranked.

    Example:
        >>> why_not_ranked(entry)
        []
    """
    report = entry["report"]
    floor, clean = next(iter(report["floor"].values())), report["clean"]["DIC"]
    failed = [check["name"] for check in report["checks"] if check["status"] == "failed"]
    passed = sum(check["status"] == "passed" for check in report["checks"])
    lacking = [epsilon for epsilon in EPSILONS if epsilon not in report["worst_case"]]
    commit = report["commit"] or "unknown"
    reasons = {
        f"the budget is {report['budget']}, not {' or '.join(RANKED_BUDGETS)}": report["budget"] not in RANKED_BUDGETS,
        f"ε = {', '.join(lacking)} is missing": bool(lacking),
        f"{report['images']} images are fewer than {LEAST_IMAGES}": report["images"] < LEAST_IMAGES,
        "there are no training masks for the floor": floor is None,
        f"the clean DIC is not above the floor of {floor or 0:.3f}": floor is not None and clean <= floor,
        f"a check failed: {', '.join(failed)}": bool(failed),
        f"{passed} checks passed, fewer than {LEAST_CHECKS}": passed < LEAST_CHECKS,
        f"{report['left_out']} images were left out": report["left_out"] > 0,
        "the hash of the network is missing": not report["facts"]["network_sha256"],
        "the hash of the data is missing": not report["facts"]["data_sha256"],
        f"the code is not that of a commit ({commit})": commit == "unknown" or commit.endswith("+dirty"),
    }
    return [reason for reason, holds in reasons.items() if holds]
