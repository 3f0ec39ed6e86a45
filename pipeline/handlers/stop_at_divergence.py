# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from monai.utils import CommonKeys
from torch import nn
from torch.optim import Optimizer

from pipeline.utils import InputError
from pipeline.weights import first_non_finite

__all__ = ["StopAtDivergence"]


class StopAtDivergence:
    """End a training at the first loss that is not finite, before the step that would spoil the weights.

    After each epoch the state of the network (batch statistics included) and of the optimizer must be finite, too: the
    last step may have spoiled them, and batch statistics do not enter a training's loss. All processes stop together,
    whichever of them found it.

    Args:
        network: the network that is trained.
        optimizer: its optimizer.
        checkpoint: the file of the last complete epoch, where there is one; the message names it. Attach this before
            the handler that writes it.

    Raises:
        InputError: if the training diverges; the message says in which epoch and at which learning rate.

    Example:
        >>> StopAtDivergence(network, optimizer, "checkpoint.pt").attach(trainer)
    """

    def __init__(self, network: nn.Module, optimizer: Optimizer, checkpoint: str | os.PathLike[str]) -> None:
        self.network = network
        self.optimizer = optimizer
        self.checkpoint = Path(checkpoint)
        self._rates: list[float] = []

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer of MONAI's.
        """
        if not engine.has_event_handler(self.check_loss, IterationEvents.LOSS_COMPLETED):
            engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self.check_loss)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.check_state)

    def check_loss(self, engine: Engine) -> None:
        """Stop if the loss of this step is not finite in any process."""
        # kept for `check_state`, before which the scheduler sets the next epoch's rates
        self._rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        output: Any = engine.state.output
        diverged = not torch.isfinite(output[CommonKeys.LOSS]).all()
        if idist.all_reduce(float(diverged), "MAX"):
            raise self._error(engine, "the loss is not finite")

    def check_state(self, engine: Engine) -> None:
        """Stop if the last step has left something that is not finite in any process."""
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()["state"]}
        names: Any = idist.all_gather(first_non_finite(state) or "")
        if any(names):
            raise self._error(engine, f"'{next(filter(None, names))}' is not finite")

    def _error(self, engine: Engine, what: str) -> InputError:
        epoch = engine.state.epoch
        rates = " and ".join(f"{rate:g}" for rate in dict.fromkeys(self._rates))
        kept = (
            f"the last good weights, of epoch {epoch - 1}, are in {self.checkpoint}"
            if self.checkpoint.is_file()
            else "no epoch was completed, so that there are no good weights"
        )
        return InputError(
            f"The training diverged in epoch {epoch} at a learning rate of {rates}: {what}; {kept}; train with a lower "
            "--learning_rate."
        )
