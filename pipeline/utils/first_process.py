# SPDX-License-Identifier: Apache-2.0
"""Which of several processes speaks."""

from __future__ import annotations

import os

import torch.distributed as dist

__all__ = ["is_first_process"]


def is_first_process() -> bool:
    """Return whether this is the first of the processes that work together, or the only one.

    Before the processes have found each other this is what torchrun has told them.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank() == 0
    return int(os.environ.get("RANK", "0")) == 0
