# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import statistics

import torch

from .figure import Figure, median_seconds, ratio
from .options import Options
from .shared_batch import launch

__all__ = ["run"]

# processes, and threads of each; the last is what the others are compared with
CPU = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread each": (2, 1)}
CUDA = {"1 GPU": (1, 1), "2 GPUs": (2, 1)}
TURNS = {"training step": 3, "sweep": 1}


def run(options: Options) -> list[Figure]:
    """A step of the bundle's training and the paper's sweep by one process and by two that share the batch."""
    if options.batch % 2:
        return [Figure("2 processes", None, note=f"skipped, they cannot share a batch of {options.batch} evenly")]
    gpus = torch.cuda.device_count()
    if options.device == "cuda" and gpus < 2:
        return [Figure("2 GPUs", None, note=f"skipped, this machine has {gpus}")]
    settings = CPU if options.device == "cpu" else CUDA
    *alone, together = settings
    figures = []
    for work, turns in TURNS.items():
        seconds: dict[str, list[float]] = {name: [] for name in settings}
        for _ in range(options.repeats or turns):
            for name, (processes, threads) in settings.items():
                seconds[name].append(statistics.median(launch(work, options, processes, threads)))
        figures += [median_seconds(f"{work}: {name}", samples) for name, samples in seconds.items()]
        figures += [ratio(f"{work}: {name} / {together}", seconds[name], seconds[together]) for name in alone]
    return figures
