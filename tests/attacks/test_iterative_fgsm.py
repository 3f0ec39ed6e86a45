# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from data_prep.phantom_image import make_phantom
from pipeline.attacks import PAPER_EPSILONS, AttackedNetwork, IterativeFGSM
from pipeline.losses import PixelCrossEntropy


def make_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 2, 3, padding=1)
    )


def gradient_of(network: nn.Module, label: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return IterativeFGSM().gradient(AttackedNetwork(network), label)


def test_the_gradient_is_the_finite_difference_and_touches_nothing_else() -> None:
    network = make_network().double().eval()
    label = torch.randint(0, 2, (2, 1, 5, 4)).double()
    image = 255 * torch.rand(2, 1, 5, 4, dtype=torch.float64)
    before = image.clone()
    loss = PixelCrossEntropy(reduction="sum")
    # the evaluator's engine runs without gradients; evaluation_mode takes those of parameters away
    network.requires_grad_(False)
    with torch.no_grad():
        gradient = gradient_of(network, label)(image)
        for index in ((0, 0, 0, 0), (0, 0, 4, 2), (1, 0, 2, 3)):
            shift = torch.zeros_like(image)
            shift[index] = 1e-3
            up, down = (loss(network((image + sign * shift) / 255), 1 - label) for sign in (1, -1))
            assert gradient[index].item() == pytest.approx((up - down).item() / 2e-3, rel=1e-5)
    assert not gradient.requires_grad and not image.requires_grad
    assert torch.equal(image, before)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_with_a_sum_the_images_of_a_batch_are_independent() -> None:
    network = make_network().eval()
    label, image = torch.randint(0, 2, (3, 1, 6, 6)).float(), 255 * torch.rand(3, 1, 6, 6)
    together = gradient_of(network, label)(image)
    alone = [gradient_of(network, label[i : i + 1])(image[i : i + 1]) for i in range(3)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-7)


def phantoms(indices: range) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = [make_phantom(0, index, size=64) for index in indices]
    image, mask = (torch.stack([torch.tensor(pair[k]) for pair in pairs])[:, None].float() / 255 for k in (0, 1))
    return image, mask


def dic(logits: torch.Tensor, mask: torch.Tensor) -> float:
    prediction = logits.argmax(1, keepdim=True).float()
    overlap, total = (prediction * mask).sum((1, 2, 3)), (prediction + mask).sum((1, 2, 3))
    return (2 * overlap / total).mean().item()


@pytest.mark.slow
def test_the_attack_breaks_a_trained_u_net() -> None:
    torch.manual_seed(0)
    network = UNet(2, 1, 2, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=1, norm="batch")
    image, mask = phantoms(range(16))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for iteration in range(100):
        chosen = slice(8 * (iteration % 2), 8 * (iteration % 2) + 8)
        loss = PixelCrossEntropy()(network(image[chosen]), mask[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    image, mask = phantoms(range(100, 104))
    with torch.no_grad():
        clean = dic(network(image), mask)
    swept = IterativeFGSM()(AttackedNetwork(network), image * 255, mask, [1e-4, 2.0, 8.0])
    with torch.no_grad():
        attacked = {epsilon: dic(network(x / 255), mask) for epsilon, x in swept.items()}
    assert clean > 0.8
    assert attacked[1e-4] == pytest.approx(clean, abs=1e-3)
    assert attacked[8.0] < attacked[2.0] < clean
    assert attacked[8.0] < clean / 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite(value: float) -> None:
    network = nn.Conv2d(1, 2, 1)
    nn.init.constant_(network.weight, value)
    attacked = AttackedNetwork(network)
    message = "The attack's gradient is not finite; the network or the loss overflows on this image."
    with pytest.raises(FloatingPointError, match=f"^{re.escape(message)}$"):
        IterativeFGSM()(attacked, torch.full((1, 1, 2, 2), 100.0), torch.ones(1, 1, 2, 2), [1.0, 2.0])


def test_what_epsilon_counts() -> None:
    """A grey level of 12 bits is 255 / 4095 of one of 8 bits, for ε and for the step, not for the iterations."""
    network, label = make_network().eval(), torch.randint(0, 2, (2, 1, 6, 6)).float()
    picture, unit = 255 * torch.rand(2, 1, 6, 6), 255 / 4095
    attack = IterativeFGSM(unit=unit)
    found = attack(AttackedNetwork(network), picture, label, [2.0, 8.0])
    assert attack.steps(8.0) == 10 and attack.gradients([2.0, 8.0]) == IterativeFGSM().gradients([2.0, 8.0]) == 10
    for epsilon, adversarial in found.items():
        moved = (adversarial - picture).abs().max().item()
        assert moved == pytest.approx(epsilon * unit, abs=1e-4)


def test_the_papers_sweep_has_69_gradients() -> None:
    assert IterativeFGSM().gradients(PAPER_EPSILONS) == 69
