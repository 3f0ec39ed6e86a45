# SPDX-License-Identifier: Apache-2.0
"""The shape of masks that all losses of pixels need."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["check_target"]


def check_target(loss: nn.Module, input: torch.Tensor, target: torch.Tensor) -> None:
    """Refuse masks that are not (B, 1, *spatial) of the size of logits (B, C, *spatial).

    Raises:
        ValueError: naming the loss and both shapes.
    """
    expected = (input.shape[0], 1, *input.shape[2:])
    if tuple(target.shape) != expected:
        raise ValueError(f"{type(loss).__name__}: target must have shape {expected}, got {tuple(target.shape)}.")
