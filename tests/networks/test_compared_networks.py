# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.networks import CDNN, InvertedNet, UNet

from .feature_maps import doubled

NETWORKS = (UNet, InvertedNet, CDNN)


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: network.__name__)
def built(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    network = request.param(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    # running statistics that fit, without which little would pass
    network.train()(torch.rand(4, 1, 64, 64))
    return network


@pytest.fixture
def network(built: nn.Module) -> nn.Module:
    return built.eval()


@pytest.mark.parametrize("size", [(32, 32), (45, 61), (33, 48)])
def test_logits_have_the_size_of_the_picture_in_both_modes(network: nn.Module, size: tuple[int, int]) -> None:
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        for mode in (False, True):
            logits = network.train(mode)(torch.rand(2, 1, *size))
            assert logits.shape == (2, 2, *size)
            assert logits.isfinite().all()
    network.load_state_dict(state)


@pytest.mark.parametrize("build", NETWORKS)
def test_color_and_classes(build: type[nn.Module]) -> None:
    with torch.no_grad():
        assert build(3, out_channels=4).eval()(torch.rand(1, 3, 32, 40)).shape == (1, 4, 32, 40)


def test_evaluation_is_deterministic_and_keeps_the_pictures_apart(network: nn.Module) -> None:
    x = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        logits = network(x)
        assert torch.equal(network(x), logits)
        tolerance = 1e-4 * logits.abs().max()
        assert (network(x[:1]) - logits[:1]).abs().max() <= tolerance
        assert (network(x[1:]) - logits[:1]).abs().max() > 10 * tolerance


def test_the_gradient_reaches_the_picture_and_every_parameter(network: nn.Module) -> None:
    x = torch.rand(2, 1, 45, 61, requires_grad=True)
    value = network(x).square().sum()
    gradient, *used = torch.autograd.grad(value, [x, *network.parameters()])
    # no pixel is out of an attack's reach
    assert gradient.ne(0).float().mean() > 0.99
    assert all(each.any() for each in used)


def test_the_picture_gradient_is_the_finite_difference(network: nn.Module) -> None:
    network.double()
    generator = torch.Generator().manual_seed(3)
    x, direction = (torch.rand(1, 1, 33, 32, generator=generator, dtype=torch.float64) for _ in range(2))
    weights = torch.randn(1, 2, 33, 32, generator=generator, dtype=torch.float64)
    image = x.clone().requires_grad_()
    slope = (torch.autograd.grad((weights * network(image)).sum(), image)[0] * direction).sum().item()
    with torch.no_grad():
        difference = (weights * (network(x + 1e-8 * direction) - network(x - 1e-8 * direction))).sum().item() / 2e-8
    network.float()
    assert slope == pytest.approx(difference, rel=1e-4)


def test_the_bottleneck_is_what_is_upsampled_first(network: nn.Module) -> None:
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        network.bottleneck.register_forward_hook(lambda _, given, made: seen.update(down=given[0], bottom=made)),
        network.decoder[0].register_forward_pre_hook(lambda _, given: seen.update(up=given[0])),
    ]
    with torch.no_grad():
        network(torch.rand(1, 1, 64, 96))
    for hook in hooks:
        hook.remove()
    assert isinstance(network.bottleneck, nn.Sequential)
    assert seen["bottom"].shape[2:] == (4, 6)
    upsampled = doubled(seen["bottom"])
    assert torch.equal(seen["up"][:, : upsampled.shape[1]], upsampled)


def test_a_module_appended_to_the_bottleneck_is_passed(network: nn.Module) -> None:
    x = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        before = network(x)
        network.bottleneck.append(nn.Threshold(1e9, 0.0))
        after = network(x)
        del network.bottleneck[-1]
        assert (after - before).abs().max() > 1e-2 * before.abs().max()
        assert torch.equal(network(x), before)


def test_state_dict_round_trip(network: nn.Module, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "model.pt")
    copy = type(network)(1).eval()
    x = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        assert not torch.equal(copy(x), network(x))
        copy.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
        assert torch.equal(copy(x), network(x))
    for parameter in copy.parameters():
        assert parameter.ndim < 4 or parameter.is_contiguous(memory_format=torch.channels_last)


def test_scripts(network: nn.Module) -> None:
    scripted = torch.jit.script(network)
    for size in ((32, 32), (45, 61)):
        x = torch.rand(1, 1, *size)
        with torch.no_grad():
            expected = network(x)
            assert (scripted(x) - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_exports(network: nn.Module) -> None:
    exported = torch.export.export(network, (torch.rand(1, 1, 45, 32),)).module()
    other = torch.rand(1, 1, 45, 32)
    with torch.no_grad():
        expected = network(other)
        assert (exported(other) - expected).abs().max() <= 1e-4 * expected.abs().max()
