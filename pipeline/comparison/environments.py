# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os

import torch

from pipeline.utils import InputError

__all__ = ["cell_environments"]


def cell_environments(jobs: int, processes: int = 1) -> list[dict[str, str]]:
    """Return variables for ``jobs`` cells that run side by side, so that they share cores and GPUs evenly.

    Each process of a cell gets its share of this process's cores as ``OMP_NUM_THREADS``, unless that is set. Of several
    GPUs that this process sees, each cell gets as many as it has processes.

    Raises:
        InputError: if there are GPUs, but fewer than a cell has processes.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // (jobs * processes))
    shared = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads)}
    gpus = _visible_gpus()
    if 0 < len(gpus) < processes:
        raise InputError(
            f"--processes {processes}: a process needs a GPU of its own, and {len(gpus)} can be seen here."
        )
    if jobs == 1 or len(gpus) < 2:
        return [dict(shared) for _ in range(jobs)]
    groups = [gpus[at : at + processes] for at in range(0, len(gpus) - processes + 1, processes)]
    return [{**shared, "CUDA_VISIBLE_DEVICES": ",".join(groups[job % len(groups)])} for job in range(jobs)]


def _visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return list(map(str, range(count))) if named is None else [name.strip() for name in named.split(",")][:count]
