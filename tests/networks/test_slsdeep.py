# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pipeline.networks import NLCE, SLSDeep, insert_nlce, slsdeep

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))


@pytest.fixture(scope="module")
def network() -> SLSDeep:
    return randomized(SLSDeep(1)).eval()


def randomized(network: SLSDeep) -> SLSDeep:
    """With running statistics that are not 0 and 1, and a decoder that does something (it starts at 0.001)."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_mean"):
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
            elif name.endswith("running_var"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif name.endswith("weight") and tensor.ndim == 4 and not name.startswith("encoder"):
                scale = (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))
    return network


def reference(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The released code's network without the last ReLU and dropout, from its tables, with functions only."""

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, *(state[f"{name}.{n}"] for n in ("running_mean", "running_var", "weight", "bias")))

    def resize(x: torch.Tensor, *size: int) -> torch.Tensor:
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    size = x.shape[2:]
    x = (x - 0.449) / 0.226
    for number, stride in ((1, 2), (2, 1), (3, 1)):
        x = F.conv2d(x, state[f"encoder.conv{number}.weight"], stride=stride, padding=1)
        x = F.relu(norm(f"encoder.bn{number}", x))
    x = F.max_pool2d(x, 3, 2, 1)
    # (stride, dilation of the first block, dilation of the others)
    for layer, (stride, first, rest) in enumerate(((1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4)), start=1):
        for block in range(STAGES[layer - 1][1]):
            name = f"encoder.layer{layer}.{block}"
            rate, here = (rest, 1) if block else (first, stride)
            out = F.relu(norm(f"{name}.bn1", F.conv2d(x, state[f"{name}.conv1.weight"])))
            out = F.conv2d(out, state[f"{name}.conv2.weight"], stride=here, dilation=rate, padding=rate)
            out = norm(f"{name}.bn3", F.conv2d(F.relu(norm(f"{name}.bn2", out)), state[f"{name}.conv3.weight"]))
            if block == 0:
                x = norm(f"{name}.downsample.1", F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=here))
            x = F.relu(out + x)
    parts = [x]
    for index, bins in enumerate((1, 2, 3, 6)):
        pooled = F.conv2d(F.adaptive_avg_pool2d(x, bins), state[f"pyramid.{index}.1.weight"])
        parts.append(resize(F.relu(norm(f"pyramid.{index}.2", pooled)), *x.shape[2:]))
    x = F.relu(norm("fusion.1", F.conv2d(torch.cat(parts, 1), state["fusion.0.weight"], padding=1)))
    x = resize(x, 2 * x.shape[2], 2 * x.shape[3])
    return resize(norm("head.1", F.conv2d(x, state["head.0.weight"], padding=1)), *size)


def test_is_the_released_network(network: SLSDeep) -> None:
    x = torch.rand(1, 1, 64, 80, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, expected = network(x), reference(network.state_dict(), x)
    assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert ours.std() > 0.01


def test_parameters(network: SLSDeep) -> None:
    def bottleneck(into: int, planes: int) -> int:
        return into * planes + 9 * planes**2 + 4 * planes**2 + 2 * (planes + planes + 4 * planes)

    count, into = 9 * 64 + 9 * 64 * 64 + 9 * 64 * 128 + 2 * (64 + 64 + 128), 128
    for planes, blocks in STAGES:
        count += into * 4 * planes + 2 * 4 * planes + bottleneck(into, planes)
        count += (blocks - 1) * bottleneck(4 * planes, planes)
        into = 4 * planes
    count += 4 * (2048 * 512 + 2 * 512) + 9 * 4096 * 512 + 2 * 512 + 9 * 512 * 2 + 2 * 2
    assert sum(parameter.numel() for parameter in network.parameters()) == count == 46_713_668


@pytest.mark.parametrize("size", [(32, 32), (45, 61), (33, 64)])
def test_sizes(network: SLSDeep, size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert network(torch.rand(1, 1, *size)).shape == (1, 2, *size)


def test_training_mode_and_the_gradients() -> None:
    torch.manual_seed(0)
    network = randomized(SLSDeep(3, out_channels=4))
    x = torch.rand(2, 3, 32, 37, requires_grad=True)
    logits = network(x)
    assert logits.shape == (2, 4, 32, 37)
    # logits, not rectified ones
    assert (logits < 0).any()
    gradients = torch.autograd.grad(logits.square().sum(), [x, *network.parameters()])
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


def test_the_gradient_reaches_the_image_in_evaluation_mode(network: SLSDeep) -> None:
    x = torch.rand(1, 1, 45, 61, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x).square().sum(), x)
    assert gradient.isfinite().all() and gradient.any()


def test_start() -> None:
    torch.manual_seed(0)
    network = SLSDeep(1)
    for module in (network.fusion[0], network.head[0], network.pyramid[0][1]):
        assert module.weight.std().item() == pytest.approx(0.001, rel=0.1)
    assert network.fusion[1].weight.mean().item() == pytest.approx(1, abs=0.01)
    assert network.fusion[1].weight.std().item() == pytest.approx(0.02, rel=0.2)
    weight = network.encoder.layer1[0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.1)


def test_weights_are_channels_last(network: SLSDeep) -> None:
    for parameter in network.parameters():
        assert parameter.ndim < 4 or parameter.is_contiguous(memory_format=torch.channels_last)


def test_nlce_goes_before_the_first_upsampling(network: SLSDeep) -> None:
    with torch.device("meta"):
        other = insert_nlce(SLSDeep(1), "encoder", num_codes=4)
    assert isinstance(other.encoder.nlce, NLCE) and other.encoder.nlce.w_gamma.out_features == 2048
    assert list(dict(other.encoder.named_children()))[-2:] == ["layer4", "nlce"]
    assert network.state_dict().keys() == {name for name in other.state_dict() if "nlce" not in name}


def test_scripts_and_exports(network: SLSDeep) -> None:
    x = torch.rand(1, 1, 32, 37)
    with torch.no_grad():
        expected = network(x)
        assert torch.allclose(torch.jit.script(network)(x), expected, atol=1e-4)
        assert torch.allclose(torch.export.export(network, (x,)).module()(x), expected, atol=1e-4)


def test_loads_weights_of_the_encoder(network: SLSDeep, tmp_path: Path) -> None:
    state = dict(network.encoder.state_dict())
    state["conv1.weight"] = torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(3))
    torch.save(state | {"fc.weight": torch.zeros(365, 2048), "fc.bias": torch.zeros(365)}, tmp_path / "resnet.pth")
    loaded = SLSDeep(1, backbone_weights=tmp_path / "resnet.pth").encoder.state_dict()
    grey = torch.rand(1, 1, 8, 8)
    # the same grey in all three channels
    expected = F.conv2d(grey.expand(-1, 3, -1, -1), state["conv1.weight"])
    assert torch.allclose(F.conv2d(grey, loaded.pop("conv1.weight")), expected, atol=1e-5)
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.items())


def test_normalization() -> None:
    with torch.device("meta"):
        given = SLSDeep(1, image_mean=[0.2], image_std=[0.3]).normalization
    assert given.mean.shape == given.std.shape == (1, 1, 1, 1)


@pytest.mark.parametrize("cells", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(16, 16), (10, 13), (7, 6)])
def test_the_pooling_that_is_exported_is_the_same(
    cells: int, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = slsdeep._AdaptiveAveragePool(cells)
    image = torch.randn(2, 3, *shape, dtype=torch.float64)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    torch.testing.assert_close(pool(image), F.adaptive_avg_pool2d(image, cells))
