# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from pipeline.utils import InputError, atomic_path, say_if_interrupted
from pipeline.weights import bare_network, load_weights, read_weights

from .stop_at_divergence import StopAtDivergence
from .weight_average import WeightAverage

__all__ = ["TrainingCheckpoint"]

logger = logging.getLogger(__name__)


class TrainingCheckpoint:
    """Keep a checkpoint from which a training that was killed at any moment goes on to the same final weights.

    After each epoch the network, the optimizer, the scheduler and the engine's counters are written to ``path``,
    atomically. When the engine starts and ``path`` exists, they are read back. Random states are not kept: attach
    ``EpochSeed``, which makes them a function of the epoch. Attach this after the handlers that change what it keeps
    (the scheduler's). When the training is complete, the network takes the running average of its weights, if there is
    one, and its state dict is written to ``final_paths``; of several processes, the first's, which all have then:
    without synchronized batch normalization their statistics differ.

    A training that diverges is ended before anything is written, see ``StopAtDivergence``: ``path`` keeps the weights
    of the last good epoch, and ``final_paths`` what an earlier training has left there.

    Args:
        path: the checkpoint file.
        network: the network that is trained, or its ``DistributedDataParallel`` wrapper.
        optimizer: its optimizer.
        scheduler: its learning-rate scheduler.
        final_paths: files to write the final weights to.
        average: the running average of the network's weights; None for none.

    Raises:
        InputError: if ``path`` is no checkpoint, or one of another network, a file cannot be written, or the training
            diverges.

    Example:
        >>> TrainingCheckpoint("checkpoint.pt", network, optimizer, scheduler, ("model.pt",)).attach(trainer)
        >>> trainer.run()
        >>> Path("model.pt").exists()
        True
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        network: nn.Module,
        optimizer: Optimizer,
        scheduler: LRScheduler | ReduceLROnPlateau,
        final_paths: tuple[str | os.PathLike[str], ...] = (),
        average: WeightAverage | None = None,
    ) -> None:
        self.path = Path(path)
        self.network = network
        self.final_paths = [Path(final) for final in final_paths]
        self.average = average
        self._stateful: dict[str, Any] = {"optimizer": optimizer, "scheduler": scheduler}
        if average is not None:
            self._stateful["average"] = average.network
        self.stop_at_divergence = StopAtDivergence(bare_network(network), optimizer, self.path)

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer of MONAI's.
        """
        if not engine.has_event_handler(self.resume, Events.STARTED):
            self.stop_at_divergence.attach(engine)
            engine.add_event_handler(Events.STARTED, self.resume)
            engine.add_event_handler(Events.STARTED, self._prepare_interruption)
            if self.average is not None:
                self.average.attach(engine)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)
            engine.add_event_handler(Events.COMPLETED, self.save_final)

    def resume(self, engine: Engine) -> None:
        """Read the checkpoint, if there is one, into the network, the optimizer, the scheduler and the engine."""
        if not self.path.is_file():
            return
        checkpoint = read_weights(self.path)
        load_weights(bare_network(self.network), checkpoint.get("network", {}), self.path)
        for key in (*self._stateful, "epoch"):
            if key not in checkpoint:
                raise InputError(
                    f"{self.path} is no checkpoint of a training: it has no '{key}'; remove it or name another."
                )
        for key, each in self._stateful.items():
            each.load_state_dict(checkpoint[key])
        engine.state.epoch = checkpoint["epoch"]
        if idist.get_rank() == 0:
            logger.warning("%s: the training goes on after epoch %d.", self.path, checkpoint["epoch"])
        engine.state.iteration = checkpoint["epoch"] * engine.state.epoch_length

    def save(self, engine: Engine) -> None:
        """Write the checkpoint of the epoch that has just been completed."""
        if idist.get_world_size() > 1:
            # the running statistics of batch normalization, which differ; a resumed training begins with the first's
            for buffer in bare_network(self.network).buffers():
                dist.broadcast(buffer, src=0)
        if idist.get_rank() == 0:
            _save(
                {
                    "network": bare_network(self.network).state_dict(),
                    **{key: each.state_dict() for key, each in self._stateful.items()},
                    "epoch": engine.state.epoch,
                },
                self.path,
            )
        self._prepare_interruption(engine)

    def _prepare_interruption(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        where = f"after epoch {epoch}" if epoch else "before the end of the first epoch"
        say_if_interrupted(f"Interrupted {where}. Type the same command again to go on.")

    def save_final(self, engine: Engine) -> None:
        """Take the average of the weights, give all processes the first one's, and write them."""
        if self.average is not None:
            self.average.take()
        if idist.get_world_size() > 1:
            for tensor in bare_network(self.network).state_dict().values():
                dist.broadcast(tensor, src=0)
        if idist.get_rank() == 0:
            for path in self.final_paths:
                _save(bare_network(self.network).state_dict(), path)


def _save(content: Mapping[str, Any], path: Path) -> None:
    try:
        # to an open file: a path's random name would stand in the file, and two of the same weights would differ
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where the disk is full
        raise InputError(
            f"{path} cannot be written ({error}); make room there and run the same command again, or name other "
            "folders with --output_dir and --ckpt_dir."
        ) from error
