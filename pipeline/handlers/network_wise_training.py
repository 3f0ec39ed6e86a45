# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy

from ignite.engine import Engine, Events
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from pipeline.networks import NWCN
from pipeline.utils import InputError
from pipeline.weights import bare_network

__all__ = ["NetworkWiseTraining"]


class NetworkWiseTraining:
    """Train the two subnetworks of an NWCN one after the other (Hwang and Park 2017).

    The first is trained in the first half of the epochs (the smaller one, if their number is odd), the second in the
    rest, which begins as a training of its own: with the optimizer, the learning rate and the scheduler as they were
    when this handler was made. What is trained depends on the epoch's number only, so that a resumed training goes on
    with the right one.

    Args:
        network: the NWCN, or its ``DistributedDataParallel`` wrapper (with ``find_unused_parameters=True``).
        optimizer: the optimizer of all its parameters.
        scheduler: its learning-rate scheduler.
        max_epochs: of the whole training, the trainer's.

    Raises:
        InputError: if ``network`` is another network, or ``max_epochs`` is below 2.

    Example:
        >>> NetworkWiseTraining(NWCN(1, 2), optimizer, scheduler, max_epochs=40).attach(trainer)
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        scheduler: LRScheduler | ReduceLROnPlateau,
        max_epochs: int,
    ) -> None:
        bare = bare_network(network)
        if not isinstance(bare, NWCN):
            raise InputError(f"NetworkWiseTraining: network must be an NWCN, got {type(bare).__name__}.")
        if max_epochs < 2:
            raise InputError(f"max_epochs: each subnetwork needs an epoch, so at least 2 in all, got {max_epochs}.")
        self.network = bare
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.first_epochs = max_epochs // 2
        self._start = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer.
        """
        if not engine.has_event_handler(self, Events.EPOCH_STARTED):
            engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer.
        """
        epoch = engine.state.epoch
        self.network.train_stage(0 if epoch <= self.first_epochs else 1)
        if epoch == self.first_epochs + 1:
            # load_state_dict keeps references to what it is given
            optimizer, scheduler = copy.deepcopy(self._start)
            self.optimizer.load_state_dict(optimizer)
            self.scheduler.load_state_dict(scheduler)
