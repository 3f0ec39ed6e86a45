# SPDX-License-Identifier: Apache-2.0
"""The handler by which an attack of the bundles is tracked and reported, and the scores that it is measured by."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import DiceMetric, MeanIoU
from monai.utils import CommonKeys

from pipeline.settings import title_of
from pipeline.tracking import Tracker

from .adversarial_evaluation import AdversarialEvaluation
from .run_cost import RunCost
from .sweep_report import SweepReport
from .track_run import TrackRun

__all__ = ["RUN_FACTS", "TrackedSweep", "overlap_metrics"]

# of a tracker's params, what a result says of its run
RUN_FACTS = ("network", "variant", "attack", "parameters", "data", "data_fingerprint", "seed")


class TrackedSweep:
    """Attach what every evaluation of the bundles has: cost, tracking and the report of the attack.

    Args:
        adversarial: the handler that attacks, attached before this one.
        tracker: the run's tracker, whose ``params`` say what was attacked.

    Example:
        >>> TrackedSweep(adversarial, tracker).attach(evaluator)
    """

    def __init__(self, adversarial: AdversarialEvaluation, tracker: Tracker) -> None:
        self.adversarial = adversarial
        self.tracker = tracker

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: an evaluator of MONAI's.
        """
        folder, params = self.tracker.run.path, self.tracker.params
        state: Any = engine.state
        cost = folder / "cost.json"
        RunCost(cost, "evaluation", state.device).attach(engine)
        TrackRun(self.tracker, iteration_metrics=False, prefix="test/", step=lambda engine: 0).attach(engine)
        facts = {key: params[key] for key in RUN_FACTS}
        title = title_of(params["network"], params["variant"])
        SweepReport(self.adversarial, self.tracker, folder, title, facts, cost).attach(engine)


def overlap_metrics() -> dict[str, IgniteMetricHandler]:
    """Return the handlers of DIC and JSC, Dice and intersection over union of the foreground, for an evaluator.

    An empty mask counts: 1 where nothing is predicted, else 0.

    Example:
        >>> metrics = overlap_metrics()  # key_val_metric of a MONAI evaluator
    """
    return {
        name: IgniteMetricHandler(
            metric_fn=metric(include_background=False, ignore_empty=False),
            output_transform=from_engine([CommonKeys.PRED, CommonKeys.LABEL]),
        )
        for name, metric in (("DIC", DiceMetric), ("JSC", MeanIoU))
    }
