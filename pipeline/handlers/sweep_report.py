# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from pipeline.figures import mean_scores, save_epsilon_curve, save_panel
from pipeline.runs import device_name, read_cost, write_result
from pipeline.tracking import Tracker
from pipeline.utils import atomic_path, is_first_process, named_by

from .adversarial_evaluation import AdversarialEvaluation
from .robustness_summary import robustness_summary

__all__ = ["SweepReport"]


class SweepReport:
    """Write what ``AdversarialEvaluation`` has found: a table, the table per image, the curve and the panels.

    ``summary.csv``, ``per_image.csv``, ``epsilon_curve.png`` and one ``panel_<name>.png`` for each saved picture go to
    ``output_dir`` and to the tracker; the summary is printed too, and ``robustness_summary`` of it are metrics. Last of
    all comes ``result.json``: ``facts``, what the run has cost, the gradients per image, the iterations for each ε, and
    with which code and on which devices. A run folder that holds it holds everything.

    Args:
        adversarial: the handler that attacks, attached to the same evaluator before this one.
        tracker: the run's tracker.
        output_dir: folder to write to.
        title: the network's name, which stands above the curve and, with the image's, above each panel.
        facts: what else ``result.json`` is to say of the run, such as the network's name.
        cost_file: the file of ``RunCost``; None if nothing was measured.

    Example:
        >>> adversarial = AdversarialEvaluation(epsilons=[2.0, 8.0])
        >>> for handler in (adversarial, SweepReport(adversarial, tracker, "run", title="NLCEN")):
        ...     handler.attach(evaluator)
    """

    def __init__(
        self,
        adversarial: AdversarialEvaluation,
        tracker: Tracker,
        output_dir: str | os.PathLike[str],
        title: str,
        facts: Mapping[str, Any] | None = None,
        cost_file: str | os.PathLike[str] | None = None,
    ) -> None:
        self.adversarial = adversarial
        self.tracker = tracker
        self.output_dir = Path(output_dir)
        self.title = title
        self.facts = facts or {}
        self.cost_file = None if cost_file is None else Path(cost_file)

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: the evaluator.
        """
        if not engine.has_event_handler(self, Events.COMPLETED):
            engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """
        Args:
            engine: the evaluator.
        """
        if not is_first_process():
            return
        table = self.adversarial.table
        summary = mean_scores(table)
        self._write_csv("summary.csv", summary)
        self._write_csv("per_image.csv", table)
        print("    ε     DIC     JSC")
        for row in summary:
            epsilon = row["epsilon"]
            shown = f"{epsilon:.1f}" if round(epsilon, 1) == epsilon else f"{epsilon:g}"
            print(f"{shown:>5}  {row['DIC']:.4f}  {row['JSC']:.4f}")
        save_epsilon_curve(table, self.output_dir / "epsilon_curve.png", self.title, self.adversarial.attack.unit)
        self.tracker.log_artifact(self.output_dir / "epsilon_curve.png")
        if self.adversarial.save_dir is not None and self.adversarial.epsilons:
            for pictures in sorted(self.adversarial.save_dir.glob("*.npz")):
                panel = self.output_dir / f"panel_{pictures.stem}.png"
                title = f"{self.title}, {named_by(pictures.stem)}"
                save_panel(pictures, panel, self.adversarial.attack.unit, title)
                self.tracker.log_artifact(panel, "panels")
        if len(summary) > 1:
            self._log_summary(summary)
        self._write_result(engine.state)

    def _log_summary(self, summary: Sequence[Mapping[str, float]]) -> None:
        """Log the few numbers by which a table of many runs can be sorted."""
        found = robustness_summary(summary)
        # step 0, of which MLflow's UI draws bars
        self.tracker.log_metrics({f"robustness/{key}": value for key, value in found.items()}, step=0)
        if "eps_half_DIC" not in found:
            self.tracker.log_tags({"robustness.eps_half_DIC": f"not up to {summary[-1]['epsilon']:g}"})

    def _write_result(self, state: Any) -> None:
        found = {
            **self.facts,
            "device": device_name(state.device),
            # with the devices of earlier processes too
            **({} if self.cost_file is None else read_cost(self.cost_file)),
            "gradients_per_image": self.adversarial.gradients,
            "iterations": {epsilon: self.adversarial.attack.steps(epsilon) for epsilon in self.adversarial.epsilons},
        }
        write_result(self.output_dir / "result.json", self.tracker.run, found)
        self.tracker.log_artifact(self.output_dir / "result.json")

    def _write_csv(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with atomic_path(self.output_dir / name) as path, open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        self.tracker.log_artifact(self.output_dir / name)
