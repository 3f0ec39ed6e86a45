# SPDX-License-Identifier: Apache-2.0
"""Trainings and attacks that several processes share."""

from __future__ import annotations

import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from .errors import InputError

__all__ = ["batch_size_per_process", "parallel_network"]


def batch_size_per_process(batch_size: int) -> int:
    """Return how many images of a batch each process takes when several train or attack together.

    Raises:
        InputError: if the batch cannot be shared evenly: another batch would be another training.
    """
    processes = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    if batch_size % processes:
        raise InputError(
            f"batch_size: {batch_size} images cannot be shared evenly by {processes} processes; start a number of "
            f"processes that divides {batch_size}, or change --batch_size."
        )
    return batch_size // processes


def parallel_network(network: nn.Module, find_unused_parameters: bool = False) -> DistributedDataParallel:
    """Wrap a network for training by several processes, each on its share of the batch, as if one had all of it.

    On GPUs batch normalization that is trained takes its statistics from all shares, ``torch.nn.SyncBatchNorm``; on
    the CPU, where torch has none, each process from its own. Frozen layers are left alone. ``network`` stays the same
    network, without the wrapper, for all that is not training.

    Args:
        network: the network, on its device; on GPUs its normalization layers are replaced, with the same parameters.
        find_unused_parameters: see ``DistributedDataParallel``; for networks whose parts are trained one by one.
    """
    if next(network.parameters()).is_cuda:
        _synchronize(network)
    return DistributedDataParallel(network, find_unused_parameters=find_unused_parameters)


def _synchronize(module: nn.Module) -> None:
    for name, child in module.named_children():
        # a copy of a frozen layer would lose the hook that holds it in evaluation mode
        if isinstance(child, _BatchNorm) and any(parameter.requires_grad for parameter in child.parameters()):
            setattr(module, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        else:
            _synchronize(child)
