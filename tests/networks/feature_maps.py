# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import nn


def convolution_table(network: nn.Module, x: torch.Tensor) -> list[tuple[int, int, int, int, tuple[int, ...]]]:
    """In order of their calls, each convolution's channels in and out, kernel, stride, and output size."""
    table: list[tuple[int, int, int, int, tuple[int, ...]]] = []

    def note(conv: nn.Conv2d, _: object, made: torch.Tensor) -> None:
        table.append((conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], tuple(made.shape[2:])))

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return table


def convolutions(network: nn.Module) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Weight and bias of each convolution, in order of definition."""
    return [(module.weight, module.bias) for module in network.modules() if isinstance(module, nn.Conv2d)]


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Each value repeated in a block of 2 × 2."""
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
