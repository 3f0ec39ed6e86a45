# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import os

import torch

__all__ = ["cell_environments"]


def cell_environments(jobs: int) -> list[dict[str, str]]:
    """Return variables for ``jobs`` processes that run side by side, so that they share cores and GPUs evenly.

    Each gets its share of this process's cores as ``OMP_NUM_THREADS``, unless that is set, and, of several GPUs that
    this process sees, one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shared = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, cores // jobs))}
    gpus = _visible_gpus() if jobs > 1 else []
    if len(gpus) < 2:
        return [dict(shared) for _ in range(jobs)]
    return [{**shared, "CUDA_VISIBLE_DEVICES": gpus[job % len(gpus)]} for job in range(jobs)]


def _visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return list(map(str, range(count))) if named is None else [name.strip() for name in named.split(",")][:count]
