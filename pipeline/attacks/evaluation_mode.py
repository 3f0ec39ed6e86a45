# SPDX-License-Identifier: Apache-2.0
"""Evaluation mode for the time of an attack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["evaluation_mode"]


@contextmanager
def evaluation_mode(network: nn.Module, *, batch_statistics: bool = False) -> Iterator[None]:
    """Hold ``network`` in evaluation mode with constant parameters, then restore it exactly.

    In evaluation mode batch normalization does not see the attacked batch, and dropout is off. Constant parameters
    spare the backward pass their gradients.

    Args:
        network: the network.
        batch_statistics: let batch normalization alone use the statistics of the batch, without keeping them. This is
            the mistake of an attack that forgets the evaluation mode; it is here to show what comes of it.
    """
    modes = {module: module.training for module in network.modules()}
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    tracking = [norm.track_running_stats for norm in norms]
    tracked = {parameter: parameter.requires_grad for parameter in network.parameters()}
    network.eval()
    for parameter in tracked:  # network.requires_grad_ is not there for TorchScript
        parameter.requires_grad_(False)
    try:
        if batch_statistics:
            for norm in norms:
                norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for norm, tracks in zip(norms, tracking, strict=True):
            norm.track_running_stats = tracks
        for parameter, requires_grad in tracked.items():
            parameter.requires_grad_(requires_grad)
