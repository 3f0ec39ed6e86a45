# SPDX-License-Identifier: Apache-2.0
"""The gradient through sliding windows, against autograd through MONAI's inferer as it is."""

from __future__ import annotations

import pytest
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet

from pipeline.attacks import AttackedNetwork


@pytest.mark.parametrize("shape", [(2, 1, 12, 8, 11), (1, 1, 8, 8, 8), (1, 1, 5, 9, 14)])
def test_it_is_autograds(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = UNet(3, 1, 2, [2, 4], [2]).double().eval()
    inferer = SlidingWindowInferer((8, 8, 8), 3, 0.5, mode="gaussian")
    pictures, weights = 255 * torch.rand(shape, dtype=torch.float64), torch.randn(shape[0], 2, *shape[2:]).double()

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return (weights * logits.log_softmax(1)).flatten(1).sum(1)

    slope = AttackedNetwork(network, inferer).value_and_gradient(pictures, loss)
    plain = pictures.clone().requires_grad_()
    value = loss(inferer(plain / 255, network))
    (expected,) = torch.autograd.grad(value.sum(), plain)
    assert torch.allclose(slope.value, value.detach(), rtol=1e-12)
    assert torch.allclose(slope.gradient, expected, rtol=1e-9, atol=1e-15) and expected.abs().min() >= 0
    assert expected.abs().max() > 1e-6
