# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from pipeline.utils import InputError, atomic_path

__all__ = ["RunCost", "read_cost"]

_SAVE_EVERY = 10.0  # seconds


class RunCost:
    """Measure what an engine's run costs, over all the processes that an interrupted run needs.

    ``path`` becomes a JSON file with ``<phase>_seconds``, the time of the engine's iterations added up, and
    ``peak_memory_mb``: the greatest memory that PyTorch held on the CUDA device or, without one, that the whole process
    held. 1 MB is 10⁶ bytes. Several engines of one run can share the file.

    Args:
        path: the file.
        phase: what the engine does, such as ``"training"``.
        device: where the network is.

    Raises:
        InputError: if ``path`` is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], phase: str, device: torch.device) -> None:
        self.path = Path(path)
        self.phase = phase
        self.device = device

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer or an evaluator.
        """
        if not engine.has_event_handler(self.start, Events.STARTED):
            engine.add_event_handler(Events.STARTED, self.start)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def start(self) -> None:
        """Begin to count."""
        self._counted = self._saved = time.monotonic()

    def iteration_completed(self) -> None:
        """Save from time to time: an epoch of attacks takes long."""
        if time.monotonic() - self._saved >= _SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Add the time since the last call to the file."""
        now = time.monotonic()
        elapsed, self._counted, self._saved = now - self._counted, now, now
        if idist.get_rank() > 0:
            return
        cost = read_cost(self.path)
        key = f"{self.phase}_seconds"
        cost[key] = cost.get(key, 0.0) + elapsed
        cost["peak_memory_mb"] = max(cost.get("peak_memory_mb", 0.0), _peak_memory(self.device) / 1e6)
        with atomic_path(self.path) as path:
            path.write_text(json.dumps(cost) + "\n")


def read_cost(path: str | os.PathLike[str]) -> dict[str, float]:
    """Return what ``RunCost`` has written to ``path``, nothing where there is no such file.

    Raises:
        InputError: if the file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    try:
        return {str(key): float(value) for key, value in json.loads(path.read_text()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no file of a run's cost, or is damaged; remove it and go on.") from error


def _peak_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
