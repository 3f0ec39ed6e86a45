# SPDX-License-Identifier: Apache-2.0
"""What an assessment leaves in its run's folder, in the form that an attack by the bundles leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.robustness import CLEAN, worst_case
from pipeline.runs import write_result
from pipeline.tracking import Tracker
from pipeline.utils import atomic_path

from .tracked_sweep import RUN_FACTS

__all__ = ["write_robustness_result"]


def write_robustness_result(tracker: Tracker, report: Mapping[str, Any], scores: pd.DataFrame) -> None:
    """Write ``per_image.csv``, each image's clean score and worst case, and last of all ``result.json``.

    Its iterations at each ε are the gradients of the whole battery, which goes on from one ε to the next, and its
    seconds those of the attacks, without checks and corruptions.

    Args:
        tracker: the run's tracker, whose ``params`` say what was attacked.
        report: the content of ``report.json``.
        scores: the table ``scores.parquet``.
    """
    found = pd.concat([scores[scores["attack"] == CLEAN], worst_case(scores)])
    columns = ["image", "epsilon", "DIC", "JSC"]
    with atomic_path(tracker.run.path / "per_image.csv") as path:
        found.sort_values(["image", "epsilon"])[columns].to_csv(path, index=False)
    facts = report["facts"]
    result = {key: tracker.params[key] for key in RUN_FACTS if key in tracker.params} | {
        "attack": f"worst case of the battery, budget {report['budget']}",
        "device": facts["device"],
        "evaluation_seconds": facts["seconds"],
        "gradients_per_image": report["gradients"],
        "iterations": dict.fromkeys(report["worst_case"], report["gradients"]),
    }
    write_result(tracker.run.path / "result.json", tracker.run, result)
    for name in ("per_image.csv", "result.json"):
        tracker.log_artifact(tracker.run.path / name)
