# SPDX-License-Identifier: Apache-2.0
"""All predictions of an NLCEN, for an attack on its whole loss."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.utils import InputError

from .nlcen import NLCEN

__all__ = ["AllLogits"]


class AllLogits(nn.Module):
    """An NLCEN that gives all five predictions in evaluation mode too, for attacks on the whole loss (equation 5).

    Args:
        network: the network.

    Shape:
        input: as ``NLCEN``'s.
        output: ``[refined, P2, P3, P4, P5]``, logits (B, out_channels, H, W) each.

    Raises:
        InputError: if the network has no such predictions.

    Example:
        >>> len(AllLogits(NLCEN(in_channels=1, out_channels=2).eval())(torch.rand(1, 1, 32, 32)))
        5
    """

    def __init__(self, network: NLCEN) -> None:
        super().__init__()
        if not hasattr(network, "all_logits"):
            raise InputError(f"AllLogits: {type(network).__name__} has one prediction only; attack the network itself.")
        self.network = network

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return self.network.all_logits(x)
