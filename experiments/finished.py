# SPDX-License-Identifier: Apache-2.0
"""What a finished cell leaves: where its result and weights are, and which weights it took."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.utils import InputError, atomic_path
from pipeline.weights import fingerprint_file

from .plan import Plan, PlannedCell

__all__ = ["Finished", "find_result", "read_finished", "weights_of", "work_folder", "write_finished"]


@dataclass(frozen=True)
class Finished:
    """What a finished cell leaves.

    Attributes:
        run: the run folder that holds the result.
        weights: the file of its weights, which may be gone when it has served.
        sha256: of the weights; None of a cell that only evaluates.
        needs: the SHA-256 of the weights that it took, by setting.
    """

    run: Path
    weights: Path
    sha256: str | None
    needs: dict[str, str]


def work_folder(cell: PlannedCell, weights: Mapping[str, str]) -> str:
    """Return where a cell keeps its runs, which other weights of the cells that it needs must never enter.

    Args:
        cell: the cell.
        weights: the fingerprints of the files that it takes, by setting.
    """
    text = json.dumps([cell.fingerprint, sorted(weights.items())])
    name = hashlib.sha256(text.encode()).hexdigest()[:16] if weights else cell.fingerprint
    return f"cells/{cell.name}/{name}"


def read_finished(plan: Plan, cell: PlannedCell) -> Finished | None:
    """Return what a cell has left; None if it is not finished, or took weights that have been made anew since.

    Raises:
        InputError: if its file is damaged.
    """
    file = plan.results_dir / cell.finished
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        paths = {key: plan.results_dir / content[key] for key in ("run", "weights")}
        finished = Finished(**paths, sha256=content["sha256"], needs=dict(content["needs"]))
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{file} is damaged; remove it, and run the matrix again.") from error
    for setting, name in cell.needs.items():
        need = read_finished(plan, plan.cells[name])
        if need is None or need.sha256 != finished.needs.get(setting):
            return None
    return finished


def weights_of(plan: Plan, name: str) -> Path:
    """Return the file of a finished cell's weights.

    Raises:
        InputError: if the cell is not finished, or its weights are gone or changed.
    """
    finished = read_finished(plan, plan.cells[name])
    if finished is None:
        raise InputError(f"{name} is not finished; run it first.")
    if not finished.weights.is_file() or fingerprint_file(finished.weights) != finished.sha256:
        file = plan.results_dir / plan.cells[name].finished
        raise InputError(f"{finished.weights} is gone or changed; remove {file} and {finished.run} to make it anew.")
    return finished.weights


def find_result(folder: Path) -> Path | None:
    """Return the run folder with the result, which a bundle writes last of all; None if there is none."""
    files = sorted(folder.glob("runs/*/result.json"), key=lambda file: file.stat().st_mtime)
    return files[-1].parent if files else None


def write_finished(plan: Plan, cell: PlannedCell, run: Path, weights: Path, needs: dict[str, str]) -> None:
    """Write the file by which a cell counts as finished."""
    content: dict[str, Any] = {
        "run": str(run.relative_to(plan.results_dir)),
        "weights": str(weights.relative_to(plan.results_dir)),
        "sha256": fingerprint_file(weights) if weights.is_file() else None,
        "needs": needs,
    }
    with atomic_path(plan.results_dir / cell.finished) as file:
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
