# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import torch
from ignite.engine import Engine, Events

from pipeline.runs import add_cost, device_name
from pipeline.utils import is_first_process

__all__ = ["RunCost"]

_SAVE_EVERY = 10.0  # seconds


class RunCost:
    """Measure what an engine's run costs, over all the processes that an interrupted run needs.

    ``path`` becomes a JSON file with ``<phase>_seconds``, the time of the engine's iterations added up, and
    ``peak_memory_mb``: the greatest memory that PyTorch held on the CUDA device or, without one, that the whole process
    held. 1 MB is 10⁶ bytes. ``device`` names all the devices on which it was. Several engines of one run can share the
    file.

    Args:
        path: the file.
        phase: what the engine does, such as ``"training"``.
        device: where the network is.

    Raises:
        InputError: if ``path`` is damaged.

    Example:
        >>> RunCost("cost.json", "training", torch.device("cpu")).attach(trainer)
        >>> trainer.run()
        >>> "training_seconds" in Path("cost.json").read_text()
        True
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
        if is_first_process():
            add_cost(self.path, self.phase, elapsed, _peak_memory(self.device) / 1e6, device_name(self.device))


def _peak_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
