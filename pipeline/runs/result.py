# SPDX-License-Identifier: Apache-2.0
"""What a run cost and found, as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.utils import InputError, atomic_path

from .run_directory import RunDirectory

__all__ = ["add_cost", "read_cost", "write_result"]


def add_cost(path: Path, phase: str, seconds: float, peak_memory: float, device: str) -> None:
    """Add the seconds of a phase of a run, such as "training", to the file ``path``; keep the greatest memory (MB).

    A run that goes on elsewhere has two devices, joined by " and ": the seconds are those of both.
    """
    cost = read_cost(path)
    key = f"{phase}_seconds"
    cost[key] = cost.get(key, 0.0) + seconds
    cost["peak_memory_mb"] = max(cost.get("peak_memory_mb", 0.0), peak_memory)
    known = cost.get("device", device)
    cost["device"] = known if device in known.split(" and ") else f"{known} and {device}"
    _write_json(path, cost)


def read_cost(path: Path) -> dict[str, Any]:
    """Return what ``add_cost`` has written to ``path``, nothing where there is no such file."""
    if not path.is_file():
        return {}
    try:
        cost = json.loads(path.read_text())
        return {key: str(value) if key == "device" else float(value) for key, value in cost.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not the file of a run's cost, or is damaged; remove it and go on.") from error


def write_result(path: Path, run: RunDirectory, found: Mapping[str, Any]) -> None:
    """Write ``result.json``: ``found``, and with which code the run was made.

    Write it last of all: a run folder that holds it holds everything.
    """
    # the code of every process of the run, not only of this one
    code = run.record["code"]
    made_with = {
        "commit": " and ".join(dict.fromkeys(each["commit"] or "unknown" for each in code)),
        "dirty": any(each["dirty"] for each in code),
        "torch": str(torch.__version__),
    }
    _write_json(path, {**found, **made_with}, indent=2)


def _write_json(path: Path, content: Mapping[str, Any], indent: int | None = None) -> None:
    with atomic_path(path) as file:
        file.write_text(json.dumps(content, indent=indent) + "\n")
