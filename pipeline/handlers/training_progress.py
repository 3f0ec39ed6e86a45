# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from torch.optim import Optimizer

from pipeline.utils import Progress

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Show how far a training has come, with loss, learning rate and time left.

    On a terminal this is one bar over all iterations, elsewhere a line for each epoch, with its mean loss and its
    learning rate. Attach it after the handlers that compute metrics.

    Args:
        optimizer: the optimizer whose learning rate is shown.
        progress: whether a bar is wanted; there are lines if not.

    Example:
        >>> TrainingProgress(optimizer).attach(trainer)
    """

    def __init__(self, optimizer: Optimizer, progress: bool = True) -> None:
        self.optimizer = optimizer
        self.progress = progress

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer whose output holds ``"loss"`` and whose metrics hold the mean of it, ``"epoch_loss"``.
        """
        if not engine.has_event_handler(self.start, Events.STARTED):
            engine.add_event_handler(Events.STARTED, self.start)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.advance)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.complete_epoch)
            engine.add_event_handler(Events.COMPLETED, self.close)

    def start(self, engine: Engine) -> None:
        """Begin to show; a resumed training begins where it was interrupted."""
        state: Any = engine.state
        total = state.max_epochs * state.epoch_length
        self._progress = Progress("training", total, "step", self.progress, done=state.iteration, lines=False)

    def advance(self, engine: Engine) -> None:
        """Count one iteration; what a bar shows is read from the device only when it is drawn."""
        # the scheduler may change it before the epoch's line is written
        self._rate = self.optimizer.param_groups[0]["lr"]
        if self._progress.update():
            state: Any = engine.state
            loss = state.output["loss"].item()
            self._progress.say(f"epoch={state.epoch}/{state.max_epochs}, loss={loss:.4f}, lr={self._rate:.2e}")

    def complete_epoch(self, engine: Engine) -> None:
        """Write the line of an epoch, where there is no bar."""
        if not self._progress.has_bar:
            state: Any = engine.state
            self._progress.say(
                f"epoch {state.epoch}/{state.max_epochs}, loss {state.metrics['epoch_loss']:.4f}, "
                f"learning rate {self._rate:.2e}"
            )

    def close(self) -> None:
        """Close the bar."""
        self._progress.close()
