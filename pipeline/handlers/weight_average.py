# SPDX-License-Identifier: Apache-2.0
"""The running average of a network's weights over its training."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from ignite.handlers import EMAHandler
from torch import nn

from pipeline.utils import InputError
from pipeline.weights import bare_network

__all__ = ["WeightAverage"]


class WeightAverage:
    """Average a network's weights, and the statistics of its batch normalization, over the steps of a training.

    Ignite's ``EMAHandler`` with a momentum that depends on the step alone, so that a training resumes exactly: after
    step t it is 9 / (10 + t), but at least ``momentum``, so that the random start is soon forgotten. An average of
    about 1 / ``momentum`` steps is left. It overfits adversarial pictures less than the last weights do (Rebuffi et
    al., NeurIPS 2021). Give it to ``TrainingCheckpoint``, which attaches and keeps it.

    Args:
        network: the network that is trained, or its ``DistributedDataParallel`` wrapper.
        momentum: weight of the newest step, above 0 and at most 1.

    Raises:
        InputError: if the momentum is out of range.

    Example:
        >>> average = WeightAverage(network, momentum=0.01)
        >>> average.attach(trainer)
    """

    def __init__(self, network: nn.Module, momentum: float) -> None:
        if not 0 < momentum <= 1:
            raise InputError(
                f"average_momentum must be above 0 and at most 1, got {momentum}; null keeps the last weights."
            )
        self.momentum = momentum
        self._trained = bare_network(network)
        # its own momentum never counts: _set_momentum gives each step's
        self._handler = EMAHandler(self._trained, 0.5, handle_buffers="update")

    @property
    def network(self) -> nn.Module:
        """The network with the average of the weights."""
        return self._handler.ema_model

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: the trainer.
        """
        if not engine.has_event_handler(self._set_momentum, Events.ITERATION_COMPLETED):
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._set_momentum)
            self._handler.attach(engine, name="average_momentum", warn_if_exists=False)

    def _set_momentum(self, engine: Engine) -> None:
        state: Any = engine.state
        state.average_momentum = max(self.momentum, 9 / (10 + state.iteration))

    def take(self) -> None:
        """Give the trained network the averaged weights."""
        self._trained.load_state_dict(self.network.state_dict())
