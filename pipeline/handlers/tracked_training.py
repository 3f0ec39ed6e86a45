# SPDX-License-Identifier: Apache-2.0
"""The handler by which a training of the bundles is kept, tracked and shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from pipeline.networks import NWCN
from pipeline.tracking import Tracker
from pipeline.transforms import mask_range_path

from .network_wise_training import NetworkWiseTraining
from .run_cost import RunCost
from .track_run import TrackRun
from .training_checkpoint import TrainingCheckpoint
from .training_masks import TrainingMasks
from .training_progress import TrainingProgress
from .weight_average import WeightAverage

__all__ = ["TrackedTraining", "step_on_loss"]

Scheduler = LRScheduler | ReduceLROnPlateau


class TrackedTraining:
    """Attach what every training of the bundles has: tracking, checkpoint, cost, masks, progress.

    The network's weights go to ``model.pt`` in the run's folder, in ``ckpt_dir`` and in the artifacts, with what the
    masks were like beside them. An NWCN is trained network by network. Attach this after the scheduler's handler.

    Args:
        tracker: the run's tracker.
        network: the network that is trained, without a wrapper.
        optimizer: its optimizer.
        scheduler: its learning-rate scheduler.
        ckpt_dir: folder for the trained weights.
        progress: whether a bar is wanted.
        average_momentum: what is kept is the running average of the weights, with this momentum; None for the last
            weights.

    Raises:
        InputError: as ``NetworkWiseTraining``, ``TrainingCheckpoint``, ``TrainingMasks`` and ``WeightAverage`` do.

    Example:
        >>> TrackedTraining(tracker, network, optimizer, scheduler, "models").attach(trainer)
    """

    def __init__(
        self,
        tracker: Tracker,
        network: nn.Module,
        optimizer: Optimizer,
        scheduler: Scheduler,
        ckpt_dir: str | os.PathLike[str],
        progress: bool = True,
        average_momentum: float | None = None,
    ) -> None:
        self.tracker = tracker
        self.network = network
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.weights = (tracker.run.path / "model.pt", Path(ckpt_dir) / "model.pt")
        self.progress = progress
        self.average = None if average_momentum is None else WeightAverage(network, average_momentum)

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer of MONAI's.
        """
        trainer: Any = engine
        state: Any = engine.state
        folder = self.tracker.run.path
        trained = (self.network, self.optimizer, self.scheduler)
        if isinstance(self.network, NWCN):
            NetworkWiseTraining(*trained, max_epochs=state.max_epochs).attach(engine)
        TrackRun(self.tracker, prefix="train/").attach(engine)
        TrainingCheckpoint(folder / "checkpoint.pt", *trained, final_paths=self.weights, average=self.average).attach(
            engine
        )
        RunCost(folder / "cost.json", "training", state.device).attach(engine)
        TrainingMasks(trainer.data_loader.dataset, self.network, self.weights).attach(engine)
        TrainingProgress(self.optimizer, self.progress).attach(engine)
        engine.add_event_handler(Events.COMPLETED, self._log_weights)

    def _log_weights(self) -> None:
        for file in (self.weights[0], mask_range_path(self.weights[0])):
            self.tracker.log_artifact(file, "model")


def step_on_loss(scheduler: Scheduler) -> Callable[[Engine], Any]:
    """Return what ``LrScheduleHandler`` gives a scheduler: ``ReduceLROnPlateau`` the epoch's mean loss, others nothing.

    Args:
        scheduler: the scheduler.

    Example:
        >>> step_transform = step_on_loss(scheduler)  # of MONAI's LrScheduleHandler
    """
    if isinstance(scheduler, ReduceLROnPlateau):
        return lambda engine: engine.state.metrics["epoch_loss"]
    return lambda engine: ()
