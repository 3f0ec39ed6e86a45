# SPDX-License-Identifier: Apache-2.0
"""Forward passes as a network is scored, and how far two of them differ."""

from __future__ import annotations

import torch

from pipeline.attacks import AttackedNetwork, evaluation_mode
from pipeline.utils import network_output

__all__ = ["SAME", "change", "output_of"]

# two outputs that differ by less are one: sums in another order differ, too
SAME = 1e-3


def output_of(attacked: AttackedNetwork, pictures: torch.Tensor) -> torch.Tensor:
    """Return the network's output for pictures in grey levels, as it is scored: evaluation mode, no gradients."""
    with evaluation_mode(attacked.network), torch.no_grad():
        return network_output(attacked.network, attacked.inferer, attacked.images(pictures), attacked.subject)


def change(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the largest difference between two outputs as a part of the first one's spread; 0 for equal ones."""
    return ((one - other).abs().max() / one.std().clamp(min=torch.finfo(one.dtype).tiny)).item()
