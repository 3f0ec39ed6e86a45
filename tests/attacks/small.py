# SPDX-License-Identifier: Apache-2.0
"""A small network and pictures that it segments without a fault."""

from __future__ import annotations

import torch
from torch import nn


def make_network(seed: int = 0, channels: int = 2, spatial_dims: int = 2) -> nn.Module:
    torch.manual_seed(seed)
    conv = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
    return nn.Sequential(conv(1, 8, 5, padding=2), nn.Tanh(), conv(8, channels, 3, padding=1)).eval()


def make_data(
    network: nn.Module, size: tuple[int, ...] = (16, 16), count: int = 3
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures in grey levels and class numbers."""
    pictures = 255 * torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return pictures, network(pictures / 255).argmax(1, keepdim=True).float()
