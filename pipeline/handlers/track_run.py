# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numbers
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events

from pipeline.tracking import Tracker

__all__ = ["TrackRun"]

_HELD_LOSSES = 64
_AT_EPSILON = re.compile(r"(?P<metric>.+)_eps_(?P<epsilon>\d+(\.\d+)?(e-?\d+)?)")


class TrackRun:
    """Logs what an Ignite engine computes to a ``Tracker``.

    - At the start: the device, of an engine whose state has it.
    - Each iteration: ``loss`` of the engine's output, of several processes the mean of theirs, and, if the engine has
      an optimizer, its rate ``lr`` (``lr_0``, ``lr_1``... for several parameter groups), at the iteration's number.
      Losses stay where they were computed until 64 have come together or the epoch ends: reading each at once would
      stop a GPU at every iteration.
    - Each epoch: the scalars of ``engine.state.metrics``, at the epoch's number. Put this handler behind those that
      compute metrics.
    - Metrics at an intensity, such as ``DIC_eps_00.5``, as the curve ``DIC_vs_eps`` only, whose step is 10 times
      epsilon and whose step 0 is the clean ``DIC``. Steps are whole numbers: where ε has two decimals, the metric stays
      one of its own.
    - At each epoch's end the tracker sends what it has.
    - An exception ends the run as FAILED (KILLED for KeyboardInterrupt and SystemExit) and is raised again. Handlers
      that save something at an exception must stand before this one. Of several processes one may be alone with it:
      then losses that are held are not logged.

    The run goes on when the engine has completed: close the tracker when all engines have.

    Args:
        tracker: where to log; it is started with the engine if it is not yet.
        iteration_metrics: whether to log loss and rate of each iteration.
        prefix: put before each name, for example "train/": the MLflow UI groups names by what stands before the slash.
        step: the step for the metrics of an epoch, given the engine; its epoch by default.

    Example:
        >>> TrackRun(tracker, prefix="train/").attach(trainer)
    """

    def __init__(
        self,
        tracker: Tracker,
        iteration_metrics: bool = True,
        prefix: str = "",
        step: Callable[[Engine], int] | None = None,
    ) -> None:
        self.tracker = tracker
        self.iteration_metrics = iteration_metrics
        self.prefix = prefix
        self.step = step
        self._held: list[tuple[int, int, torch.Tensor]] = []

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: Ignite Engine, it can be a trainer, validator or evaluator.
        """
        engine.add_event_handler(Events.STARTED, self.start)
        if self.iteration_metrics:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)
        engine.add_event_handler(Events.COMPLETED, self.flush)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.exception_raised)

    def start(self, engine: Engine) -> None:
        self.tracker.start()
        # MONAI's engines have it, others may not
        device = getattr(engine.state, "device", None)
        if device is not None:
            self.tracker.log_device(device)

    def iteration_completed(self, engine: Engine) -> None:
        now = int(time.time() * 1000)
        iteration = engine.state.iteration
        groups = getattr(getattr(engine, "optimizer", None), "param_groups", [])
        names = ["lr"] if len(groups) == 1 else [f"lr_{index}" for index in range(len(groups))]
        rates = {f"{self.prefix}{name}": group["lr"] for name, group in zip(names, groups, strict=True)}
        if rates:
            self.tracker.log_metrics(rates, step=iteration, timestamp=now)
        self._held.append((iteration, now, _loss(engine.state.output)))
        if len(self._held) >= _HELD_LOSSES:
            self.flush()

    def epoch_completed(self, engine: Engine) -> None:
        self.flush()
        scalars = {key: value for key, value in engine.state.metrics.items() if _is_scalar(value)}
        step = engine.state.epoch if self.step is None else self.step(engine)
        plain = {f"{self.prefix}{key}": value for key, value in scalars.items() if _on_curve(key) is None}
        self.tracker.log_metrics(plain, step=step)
        for key, points in _curves(scalars).items():
            for at, value in sorted(points.items()):
                self.tracker.log_metrics({f"{self.prefix}{key}": value}, step=at)
        self.tracker.end_epoch()

    def flush(self) -> None:
        """Log the losses held so far; all processes must come here together."""
        held, self._held = self._held, []
        if not held:
            return
        losses = torch.stack([loss for _, _, loss in held])
        if _processes() > 1:
            dist.all_reduce(losses)
        # one transfer for all of them
        for (iteration, time_, _), value in zip(held, (losses / _processes()).tolist(), strict=True):
            self.tracker.log_metrics({f"{self.prefix}loss": value}, step=iteration, timestamp=time_)

    def exception_raised(self, engine: Engine, error: BaseException) -> None:
        if _processes() == 1:
            self.flush()
        self.tracker.close("KILLED" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "FAILED")
        # with a handler for EXCEPTION_RAISED, Ignite leaves this to it
        raise error


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _loss(output: Any) -> torch.Tensor:
    """The loss of an engine's output, of which MONAI makes a list of one per image with the loss in each."""
    item = output[0] if isinstance(output, list) else output
    loss = item["loss"] if isinstance(item, Mapping) else item
    return loss.detach().reshape(()) if isinstance(loss, torch.Tensor) else torch.tensor(loss, dtype=torch.float64)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1
    return isinstance(value, numbers.Number) or (isinstance(value, np.ndarray) and value.size == 1)


def _curves(scalars: Mapping[str, Any]) -> dict[str, dict[int, Any]]:
    """Curves against epsilon: name to step to value."""
    curves: dict[str, dict[int, Any]] = {}
    for key, value in scalars.items():
        place = _on_curve(key)
        if place is not None:
            metric, step = place
            curve = curves.setdefault(f"{metric}_vs_eps", {})
            curve[step] = value
            if metric in scalars:
                curve[0] = scalars[metric]
    return curves


def _on_curve(key: str) -> tuple[str, int] | None:
    """The metric and the step of one at an intensity; None for others, and where the step were no whole number."""
    match = _AT_EPSILON.fullmatch(key)
    step = round(10 * float(match["epsilon"]), 6) if match else 0.5
    return (match["metric"], int(step)) if match and step.is_integer() else None
