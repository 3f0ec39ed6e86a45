# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from monai.networks.blocks import Convolution
from torch import nn

from pipeline.networks import CDNN, InvertedNet, UNet

from .feature_maps import convolution_table, convolutions, doubled

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


@pytest.mark.parametrize(
    "build, in_channels, out_channels, expected",
    [
        # Novikov et al.'s "Original" U-Net: three organs and the background
        (UNet, 1, 4, 31_377_988),
        # 64 weights and a bias for each class; 9 · 64 weights for each channel of the picture
        (UNet, 1, 2, 31_377_988 - 2 * 65),
        (UNet, 3, 2, 31_377_988 - 2 * 65 + 2 * 9 * 64),
        # Novikov et al.'s InvertedNet: lungs, clavicles and heart
        (InvertedNet, 1, 3, 3_140_771),
        (InvertedNet, 1, 2, 3_140_771 - 257),
        (InvertedNet, 3, 2, 3_140_771 - 257 + 2 * 9 * 256),
    ],
)
def test_parameter_count(build: type[nn.Module], in_channels: int, out_channels: int, expected: int) -> None:
    with torch.device("meta"):
        network = build(in_channels, out_channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("build", [UNet, InvertedNet])
def test_starts_from_hes_normal_distribution(build: type[nn.Module]) -> None:
    """A start with torch's default, whose variance is a sixth, would vanish: there is no batch normalization."""
    torch.manual_seed(0)
    for weight, bias in convolutions(build(1)):
        fan_in = weight[0].numel()
        # the deviation of a sample deviation is about 1 / √(2 n)
        assert weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=4 / (2 * weight.numel()) ** 0.5)
        assert bias is not None and not bias.any()


def test_layers_of_the_unet_at_an_odd_size() -> None:
    full, half, quarter, eighth, sixteenth = (45, 61), (22, 30), (11, 15), (5, 7), (2, 3)
    assert convolution_table(UNet(1), torch.rand(1, 1, 45, 61)) == [
        (1, 64, 3, 1, full),
        (64, 64, 3, 1, full),
        (64, 128, 3, 1, half),
        (128, 128, 3, 1, half),
        (128, 256, 3, 1, quarter),
        (256, 256, 3, 1, quarter),
        (256, 512, 3, 1, eighth),
        (512, 512, 3, 1, eighth),
        (512, 1024, 3, 1, sixteenth),
        (1024, 1024, 3, 1, sixteenth),
        (1536, 512, 3, 1, eighth),
        (512, 512, 3, 1, eighth),
        (768, 256, 3, 1, quarter),
        (256, 256, 3, 1, quarter),
        (384, 128, 3, 1, half),
        (128, 128, 3, 1, half),
        (192, 64, 3, 1, full),
        (64, 64, 3, 1, full),
        (64, 2, 1, 1, full),
    ]


def test_the_unet_is_the_papers() -> None:
    torch.manual_seed(0)
    network = UNet(1)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    remaining = iter(convolutions(network))

    def twice(x: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            x = F.relu(F.conv2d(x, *next(remaining), padding=1))
        return x

    picture = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        x, skips = (picture - 0.449) / 0.226, []
        for _ in range(4):
            skips.append(twice(x))
            x = F.max_pool2d(skips[-1], 2)
        x = twice(x)
        for skip in reversed(skips):
            x = twice(torch.cat([doubled(x), skip], dim=1))
        expected = F.conv2d(x, *next(remaining))
        for mode in (True, False):
            assert torch.allclose(network.train(mode)(picture), expected, atol=1e-4)
    assert next(remaining, None) is None


@pytest.mark.parametrize(
    "sizes",
    [
        [(64, 96), (32, 48), (16, 24), (8, 12), (4, 6)],
        [(45, 61), (22, 30), (11, 15), (5, 7), (2, 3)],
    ],
)
def test_the_first_convolution_of_each_deeper_level_subsamples(sizes: list[tuple[int, int]]) -> None:
    network = InvertedNet(1).eval()
    pooled: list[tuple[int, ...]] = []
    hook = network.pool.register_forward_hook(lambda _, given, made: pooled.append(tuple(made.shape[2:])))
    full, half, quarter, eighth, sixteenth = sizes
    assert convolution_table(network, torch.rand(1, 1, *full)) == [
        (1, 256, 3, 1, full),
        (256, 256, 3, 1, full),
        (256, 128, 3, 2, half),
        (128, 128, 3, 1, half),
        (128, 64, 3, 2, quarter),
        (64, 64, 3, 1, quarter),
        (64, 32, 3, 2, eighth),
        (32, 32, 3, 1, eighth),
        (32, 16, 3, 2, sixteenth),
        (16, 16, 3, 1, sixteenth),
        (48, 32, 3, 1, eighth),
        (32, 32, 3, 1, eighth),
        (96, 64, 3, 1, quarter),
        (64, 64, 3, 1, quarter),
        (192, 128, 3, 1, half),
        (128, 128, 3, 1, half),
        (384, 256, 3, 1, full),
        (256, 256, 3, 1, full),
        (256, 2, 1, 1, full),
    ]
    hook.remove()
    # the poolings themselves do not subsample
    assert pooled == [(height - 1, width - 1) for height, width in sizes[:4]]


def test_invertednet_is_the_papers() -> None:
    torch.manual_seed(0)
    network = InvertedNet(1).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    remaining = iter(convolutions(network))

    def twice(x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        x = F.elu(F.conv2d(x, *next(remaining), padding=1, stride=stride))
        return F.elu(F.conv2d(x, *next(remaining), padding=1))

    picture = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        skips = [twice((picture - 0.449) / 0.226)]
        for _ in range(4):
            skips.append(twice(F.max_pool2d(skips[-1], 2, stride=1), stride=2))
        x = skips.pop()
        while skips:
            x = twice(torch.cat([doubled(x), skips.pop()], dim=1))
        expected = F.conv2d(x, *next(remaining))
        assert torch.allclose(network(picture), expected, atol=1e-4)
    assert next(remaining, None) is None


def test_drops_a_tenth_after_every_activation() -> None:
    torch.manual_seed(0)
    network = InvertedNet(1).train()
    convolved: list[torch.Tensor] = []
    dropped: list[torch.Tensor] = []
    for block in network.modules():
        if isinstance(block, Convolution):
            block.conv.register_forward_hook(lambda _, given, made: convolved.append(made))
            block.register_forward_hook(lambda _, given, made: dropped.append(made))
    with torch.no_grad():
        network(torch.rand(1, 1, 32, 48))
    assert len(dropped) == len(convolved) == 18
    for before, after in zip(convolved, dropped, strict=True):
        kept = after != 0
        assert torch.allclose(after[kept], F.elu(before)[kept] / 0.9, atol=1e-6)
        assert 1 - kept.float().mean().item() == pytest.approx(0.1, abs=4 * (0.09 / kept.numel()) ** 0.5)
