# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.losses import PixelCrossEntropy
from pipeline.networks import NLCE, NWCN, insert_nlce
from pipeline.utils import InputError


@pytest.fixture
def network() -> NWCN:
    """With running statistics that are not 0 and 1."""
    torch.manual_seed(0)
    network = NWCN(1)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return network.eval()


def subnetwork(state: dict[str, torch.Tensor], part: str, x: torch.Tensor) -> torch.Tensor:
    """The table of layers, with functions only, in evaluation mode."""

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, *(state[f"{name}.{n}"] for n in ("running_mean", "running_var", "weight", "bias")))

    size = x.shape[2:]
    for index, stride in ((0, 1), (3, 2), (6, 2)):
        x = F.conv2d(x, state[f"{part}.downsampling.{index}.weight"], stride=stride, padding=1)
        x = F.relu(norm(f"{part}.downsampling.{index + 1}", x))
    for index, rate in enumerate((1, 2, 4, 8, 16, 1)):
        name, out = f"{part}.bottleneck.{index}", x
        for number in (1, 2):
            out = F.conv2d(out, state[f"{name}.conv{number}.weight"], padding=rate, dilation=rate)
            out = norm(f"{name}.bn{number}", out)
            out = F.relu(out) if number == 1 else out
        x = F.relu(out + x)
    x = F.conv2d(x, state[f"{part}.head.weight"], state[f"{part}.head.bias"])
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


@pytest.mark.parametrize("size", [(64, 64), (45, 61), (32, 33)])
def test_the_second_corrects_what_the_first_found(network: NWCN, size: tuple[int, int]) -> None:
    x = torch.rand(2, 1, *size)
    state = network.state_dict()
    image = (x - 0.449) / 0.226
    with torch.no_grad():
        found = subnetwork(state, "first", image).softmax(1)[:, 1:]
        expected = subnetwork(state, "second", torch.cat([image, found], 1))
        logits = network(x)
    assert logits.shape == (2, 2, *size)
    assert torch.allclose(logits, expected, atol=1e-4)
    assert logits.std() > 0.01


def test_three_channels_and_classes() -> None:
    network = NWCN(3, out_channels=4)
    x = torch.rand(2, 3, 40, 40)
    for training in (True, False):
        assert network.train(training)(x).shape == (2, 4, 40, 40)
    assert network.second.downsampling[0].in_channels == 3 + 3


def test_small() -> None:
    network = NWCN(1)
    for part, into in ((network.first, 1), (network.second, 2)):
        count = 9 * (into * 16 + 16 * 32 + 32 * 32) + 2 * (16 + 32 + 32) + 6 * 2 * (9 * 32 * 32 + 2 * 32) + 32 * 2 + 2
        assert sum(parameter.numel() for parameter in part.parameters()) == count < 130_000


def test_the_input_gradient_is_the_finite_difference_through_both(network: NWCN) -> None:
    network.double()
    # also while the second is trained, when the first is frozen
    network.train_stage(1)
    x, direction = torch.rand(2, 1, 1, 37, 45, dtype=torch.float64)
    weight = torch.randn(1, 2, 37, 45, dtype=torch.float64)
    image = x.clone().requires_grad_()
    slope = (torch.autograd.grad((network(image) * weight).sum(), image)[0] * direction).sum().item()
    with torch.no_grad():
        ends = [(network(x + sign * 1e-7 * direction) * weight).sum().item() for sign in (1, -1)]
        # with the first's output held, the slope is another one
        held = network.first(network.normalization(x)).softmax(1)[:, 1:]
        images = [network.normalization(x + sign * 1e-7 * direction) for sign in (1, -1)]
        ends_held = [(network.second(torch.cat([image, held], 1)) * weight).sum().item() for image in images]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-4)
    assert slope != pytest.approx((ends_held[0] - ends_held[1]) / 2e-7, rel=1e-2)


def test_the_gradient_reaches_all_parameters(network: NWCN) -> None:
    gradients = torch.autograd.grad(network(torch.rand(2, 1, 64, 64)).square().sum(), list(network.parameters()))
    assert all(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("stage, trained, resting", [(0, "first", "second"), (1, "second", "first")])
def test_trains_one_and_keeps_the_other_to_the_bit(network: NWCN, stage: int, trained: str, resting: str) -> None:
    x, label = torch.rand(2, 1, 32, 32), torch.randint(0, 2, (2, 1, 32, 32))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=0.1)
    # gradients that an earlier step left
    PixelCrossEntropy()(network(x), label).backward()
    before = copy.deepcopy(network.state_dict())
    network.train_stage(stage)
    for _ in range(2):
        # as MONAI's trainer does
        network.train()
        optimizer.zero_grad(set_to_none=False)
        PixelCrossEntropy()(network(x), label).backward()
        optimizer.step()
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {name for name in before if name.startswith(f"{trained}.")}
    assert all(parameter.grad is None for parameter in getattr(network, resting).parameters())


def test_training_mode_returns_what_is_trained(network: NWCN) -> None:
    x = torch.rand(2, 1, 32, 32)
    image = network.normalization(x)
    with torch.no_grad():
        logits = network(x)
        found = network.first(image)
        network.train_stage(1)
        network.train()
        assert not network.first.training and network.second.training
        assert not any(module.training for module in network.first.modules())
        # the first evaluates, the second's batch normalization does not
        network.second.eval()
        assert torch.equal(network(x), logits)
        network.train_stage(0)
        assert network.first.training and network.second.training
        network.first.eval()
        assert torch.equal(network(x), found)
        # evaluation, and an attack, see what is trained: the second is at its random start at first
        for stage, expected in ((0, found), (1, logits)):
            network.train_stage(stage)
            assert torch.equal(network.eval()(x), expected)


@pytest.mark.parametrize("stage", [-1, 2])
def test_bad_stage(network: NWCN, stage: int) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(f'NWCN: the stage must be 0 or 1, got {stage}.')}$"):
        network.train_stage(stage)


def test_nlce_goes_into_both(network: NWCN) -> None:
    bare = copy.deepcopy(network)
    insert_nlce(network, ["first.bottleneck", "second.bottleneck"], num_codes=4, context=False)
    assert isinstance(network.first.bottleneck[-1], NLCE) and isinstance(network.second.bottleneck[-1], NLCE)
    x = torch.rand(1, 1, 48, 48)
    with torch.no_grad():
        assert torch.equal(network(x), bare(x))
    network.train_stage(1)
    assert not network.train().first.bottleneck.nlce.training


@pytest.mark.parametrize("stage", [0, 1])
def test_scripts_and_exports(network: NWCN, stage: int) -> None:
    network.train_stage(stage)
    x = torch.rand(1, 1, 45, 61)
    with torch.no_grad():
        expected = network(x)
        assert torch.allclose(torch.jit.script(network)(x), expected, atol=1e-5)
        exported: nn.Module = torch.export.export(network, (x,)).module()
        assert torch.allclose(exported(x), expected, atol=1e-5)
