# SPDX-License-Identifier: Apache-2.0
"""A copy of a network that has all that it had, and shares nothing."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["copy_network"]


def copy_network(network: nn.Module) -> nn.Module | None:
    """Return a copy; None of a network that has none, such as one that holds results of a computation.

    Example:
        >>> copy_network(network) is network
        False
    """
    try:
        with torch.no_grad():  # TorchScript copies parameters as results of a computation otherwise
            return copy.deepcopy(network)
    except (RuntimeError, TypeError):
        return None
