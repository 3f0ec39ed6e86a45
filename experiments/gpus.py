# SPDX-License-Identifier: Apache-2.0
"""Gives each cell GPUs of its own: a workflow counts GPUs, it does not say which."""

from __future__ import annotations

import getpass
import os
import tempfile
import time
from pathlib import Path

import torch

from pipeline.runs import FolderLock
from pipeline.utils import InputError

__all__ = ["take_gpus"]


def take_gpus(count: int) -> None:
    """Make only ``count`` GPUs that no other cell of this user has taken visible to this process; wait for them.

    They are this process's until it ends. With no GPU, or as many as asked for, nothing is changed: a batch system has
    chosen already.

    Raises:
        InputError: if there are GPUs, but fewer than ``count``.
    """
    visible = _visible()
    if 0 < len(visible) < count:
        raise InputError(f"processes {count}: a process needs a GPU of its own, and {len(visible)} can be seen here.")
    if len(visible) <= count:
        return
    locks = {gpu: FolderLock(_folder(gpu)) for gpu in visible}
    while True:
        taken = [gpu for gpu, lock in locks.items() if lock.acquire()]
        for gpu in taken[count:] if len(taken) >= count else taken:
            locks[gpu].release()
        if len(taken) >= count:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken[:count])
            return
        time.sleep(1)


def _visible() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return list(map(str, range(count))) if named is None else [name.strip() for name in named.split(",")][:count]


def _folder(gpu: str) -> Path:
    folder = Path(tempfile.gettempdir(), f"nlcen-{getpass.getuser()}", f"gpu-{gpu}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
