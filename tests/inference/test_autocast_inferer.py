# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import NamedTuple

import torch
from monai.inferers import SimpleInferer
from torch import nn

from pipeline.inference import AutocastInferer


class Branches(nn.Module):
    """A network with several outputs, as deep supervision has them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Conv2d(4, 2, 1)
        self.seen: list[torch.dtype] = []

    def forward(self, x: torch.Tensor) -> list[torch.Tensor | tuple[torch.Tensor, ...]]:
        features = self.first(x)
        self.seen.append(features.dtype)
        return [self.second(features), (self.second(2 * features),)]


def test_layers_compute_in_bfloat16_and_all_that_is_kept_is_float32() -> None:
    torch.manual_seed(0)
    network, image = Branches(), torch.rand(3, 1, 9, 7)
    logits, (other,) = AutocastInferer(amp=True)(image, network)
    assert network.seen == [torch.bfloat16]
    assert logits.dtype == other.dtype == torch.float32
    (logits.square().mean() + other.square().mean()).backward()
    for tensor in (*network.parameters(), *network.buffers()):
        assert tensor.dtype in (torch.float32, torch.int64)
        assert tensor.grad is None or tensor.grad.dtype == torch.float32
    # bfloat16 has 8 bits of precision
    exact = SimpleInferer()(image, network)[0]
    assert 0 < (logits - exact).abs().max() < 2**-5 * exact.abs().max()


def test_switched_off_it_changes_nothing() -> None:
    torch.manual_seed(0)
    network, image = Branches().eval(), torch.rand(2, 1, 8, 8)
    assert torch.equal(AutocastInferer(amp=False)(image, network)[0], SimpleInferer()(image, network)[0])
    assert set(network.seen) == {torch.float32}


def test_other_outputs_pass_through() -> None:
    class Named(NamedTuple):
        logits: torch.Tensor

    image = torch.rand(1, 1, 4, 4)
    for output in ({"logits": image}, Named(image), None):
        assert AutocastInferer(amp=True)(image, lambda x, output=output: output) is output
