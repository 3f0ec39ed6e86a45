# SPDX-License-Identifier: Apache-2.0
"""An entry of the leaderboard: what it takes of a report, and the rules by which it is ranked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.robustness.report.check_report import read_report
from pipeline.utils import InputError, atomic_path

__all__ = ["EPSILONS", "LEAST_CHECKS", "LEAST_IMAGES", "RANKED_BUDGETS", "add_entry", "read_entries", "why_not_ranked"]

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
_FACTS = ("device", "date", "parameters", "seconds", "weights_sha256", "network_sha256", "data_sha256")
_KEYS = {"name", "training", "report_sha256", "report"}


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
        InputError: if the report is none, the name has other characters or is that of other weights or data, or a text
            is empty or of several lines.

    Example:
        >>> add_entry(Path("robustness/report.json"), Path("docs/leaderboard"), "my-unet", "100 epochs.", "my set")
        PosixPath('docs/leaderboard/my-unet.json')
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise InputError(f"--name: '{name}' must consist of lower-case letters, digits and hyphens, such as my-unet.")
    for option, text, what in (("training", training, "how the network was trained"), ("data", data, "what data")):
        if not text.strip() or "\n" in text:
            raise InputError(f"--{option}: say in one line {what}.")
    content = read_report(report)
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
        InputError: if there is none, a file is no entry, or two entries call different test pictures the same.
    """
    entries = [_read(path) for path in sorted(folder.glob("*.json"))]
    if not entries:
        raise InputError(f"{folder} has no entry; add one with --add REPORT --name NAME --training TEXT.")
    for pair in pairwise(sorted(entries, key=lambda entry: str(entry["report"]["data"]))):
        _check_data(*pair)
    return entries


def _check_data(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Refuse two entries that call different test pictures the same, unless the second takes the first one's place."""
    if first["name"] == second["name"]:
        return
    one, other = first["report"], second["report"]
    if one["data"] == other["data"] and one["facts"]["data_sha256"] != other["facts"]["data_sha256"]:
        raise InputError(
            f"{first['name']} and {second['name']} call their data '{one['data']}', but their test pictures or masks "
            "differ; name the data of one otherwise."
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); add the entry anew.") from error
    if not isinstance(entry, dict) or set(entry) != _KEYS or entry["name"] != path.stem:
        raise InputError(f"{path} is no entry of the leaderboard, or is named otherwise; add it anew.")
    return entry


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
        f"the code is not that of a commit ({commit})": commit == "unknown" or commit.endswith("+dirty"),
    }
    return [reason for reason, holds in reasons.items() if holds]
