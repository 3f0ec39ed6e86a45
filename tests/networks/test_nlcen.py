# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pipeline.networks import NLCEN, AllLogits, UNet
from pipeline.utils import InputError

CHANNELS = {"resnet18": (64, 128, 256, 512), "resnet50": (256, 512, 1024, 2048)}
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}


def randomized(network: NLCEN) -> NLCEN:
    """With NLCE modules that do something and running statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if name.endswith("running_mean"):
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
            elif name.endswith("running_var"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif name.endswith(("w_z.weight", "w_gamma.weight")):
                tensor.copy_(0.02 * torch.randn(tensor.shape, generator=generator))
    return network


@pytest.fixture(scope="module")
def small() -> NLCEN:
    torch.manual_seed(0)
    return randomized(NLCEN(1)).eval()


def torchvision_state(backbone: str, in_channels: int = 3) -> dict[str, torch.Tensor]:
    """A state dict with the names and shapes of torchvision's, written from the architecture's tables."""
    generator = torch.Generator().manual_seed(1)
    state: dict[str, torch.Tensor] = {}

    def convolution(name: str, out: int, into: int, kernel: int) -> None:
        drawn = torch.randn(out, into, kernel, kernel, generator=generator)
        state[f"{name}.weight"] = drawn * (2 / (into * kernel**2)) ** 0.5

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = 0.5 + torch.rand(width, generator=generator)
        state[f"{name}.bias"] = 0.1 * torch.randn(width, generator=generator)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=generator)
        state[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=generator)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("conv1", 64, in_channels, 7)
    norm("bn1", 64)
    width = 64
    for layer, (planes, count) in enumerate(zip((64, 128, 256, 512), BLOCKS[backbone], strict=True), start=1):
        out = planes if backbone == "resnet18" else 4 * planes
        for block in range(count):
            name = f"layer{layer}.{block}"
            if backbone == "resnet18":
                sizes = ((planes, width, 3), (planes, planes, 3))
            else:
                sizes = ((planes, width, 1), (planes, planes, 3), (out, planes, 1))
            for number, (to, into, kernel) in enumerate(sizes, start=1):
                convolution(f"{name}.conv{number}", to, into, kernel)
                norm(f"{name}.bn{number}", to)
            if block == 0 and (layer > 1 or backbone == "resnet50"):
                convolution(f"{name}.downsample.0", out, width, 1)
                norm(f"{name}.downsample.1", out)
            width = out
    state["fc.weight"], state["fc.bias"] = torch.zeros(1000, width), torch.zeros(1000)
    return state


def resnet_stages(state: dict[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """The outputs of conv2 … conv5 in evaluation mode, as torchvision computes them (stride at the 3×3)."""

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, *(state[f"{name}.{n}"] for n in ("running_mean", "running_var", "weight", "bias")))

    x = F.max_pool2d(F.relu(norm("bn1", F.conv2d(x, state["conv1.weight"], stride=2, padding=3))), 3, 2, 1)
    stages = []
    for layer in (1, 2, 3, 4):
        block = 0
        while f"layer{layer}.{block}.conv1.weight" in state:
            name, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            convolutions = 3 if f"{name}.conv3.weight" in state else 2
            out = x
            for number in range(1, convolutions + 1):
                weight = state[f"{name}.conv{number}.weight"]
                here = stride if number == convolutions - 1 else 1
                out = F.conv2d(out, weight, stride=here, padding=weight.shape[2] // 2)
                out = norm(f"{name}.bn{number}", out)
                out = F.relu(out) if number < convolutions else out
            if f"{name}.downsample.0.weight" in state:
                x = norm(f"{name}.downsample.1", F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=stride))
            x, block = F.relu(out + x), block + 1
        stages.append(x)
    return stages


def resize(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def logits_from(network: NLCEN, stages: list[torch.Tensor], size: torch.Size) -> list[torch.Tensor]:
    """The paper's pyramid and refinement from E_2 … E_5, with the network's own convolutions."""
    e2, e3, e4, e5 = stages
    p5 = network.top_down[3](e5)
    p4 = e4 + resize(network.top_down[2](p5), e4.shape[2:])
    p3 = e3 + resize(network.top_down[1](p4), e3.shape[2:])
    p2 = e2 + resize(network.top_down[0](p3), e2.shape[2:])
    coarse = [resize(head(p), size) for head, p in zip(network.heads, (p2, p3, p4, p5), strict=True)]
    (b3,), (b4, c4), (b5, c5, d5) = network.refinement[1], network.refinement[2], network.refinement[3]
    parts = [p2, b3(p3), c4(b4(p4)), d5(c5(b5(p5)))]
    fused = torch.cat([resize(part, p2.shape[2:]) for part in parts], dim=1)
    return [resize(network.refined_head(fused), size), *coarse]


@pytest.mark.parametrize("backbone, channels", [("resnet18", 1), ("resnet18", 3), ("resnet50", 3)])
def test_loads_torchvision_weights_and_is_the_papers_network(tmp_path: Path, backbone: str, channels: int) -> None:
    state = torchvision_state(backbone)
    torch.save(state, tmp_path / "resnet.pth")
    network = NLCEN(channels, backbone=backbone, nlce=False, backbone_weights=tmp_path / "resnet.pth").eval()
    x = torch.rand(1, channels, 64, 96, generator=torch.Generator().manual_seed(2))
    if channels == 3:
        mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
        rgb = (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    else:
        # the same grey in all three channels
        rgb = ((x - 0.449) / 0.226).expand(-1, 3, -1, -1)
    with torch.no_grad():
        stages = resnet_stages(state, rgb)
        assert [stage.shape[1] for stage in stages] == list(CHANNELS[backbone])
        expected = logits_from(network, stages, x.shape[2:])
        for ours, reference in zip(network.all_logits(x), expected, strict=True):
            assert (ours - reference).abs().max() <= 1e-4 * reference.abs().max()
    own = network.backbone.state_dict()
    assert own.keys() == {name for name in state if not name.startswith("fc.")}
    assert all(own[name].shape == state[name].shape for name in own if name != "conv1.weight")


def test_each_stage_passes_its_own_nlce(small: NLCEN) -> None:
    x = torch.rand(1, 1, 64, 64)
    inputs: list[torch.Tensor] = []
    outputs: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _, given, made: (inputs.append(given[0]), outputs.append(made))[0] and None)
        for module in small.nlce
    ]
    stages: list[torch.Tensor] = []
    layers = (getattr(small.backbone, f"layer{number}") for number in (1, 2, 3, 4))
    hooks += [layer.register_forward_hook(lambda _, given, made: stages.extend([given[0], made])) for layer in layers]
    with torch.no_grad():
        logits = small.all_logits(x)
    for hook in hooks:
        hook.remove()
    made = stages[1::2]
    assert all(torch.equal(given, stage) for given, stage in zip(inputs, made, strict=True))
    # the next layer goes on from what the NLCE has made of the stage
    assert all(torch.equal(given, enhanced) for given, enhanced in zip(stages[2::2], outputs[:3], strict=True))
    with torch.no_grad():
        expected = logits_from(small, outputs, x.shape[2:])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(logits, expected, strict=True))


@pytest.mark.parametrize("size", [(64, 64), (70, 99), (33, 65), (32, 32)])
def test_sizes_and_modes(small: NLCEN, size: tuple[int, int]) -> None:
    x = torch.rand(2, 1, *size)
    with torch.no_grad():
        refined = small(x)
        logits = small.all_logits(x)
        assert refined.shape == (2, 2, *size)
        assert torch.equal(logits[0], refined)
        small.train()
        frozen = {name: tensor.clone() for name, tensor in small.state_dict().items()}
        trained = small(x)
        small.load_state_dict(frozen)
        again = small.all_logits(x)
        small.load_state_dict(frozen)
        small.eval()
    assert isinstance(trained, list) and len(trained) == len(logits) == 5
    assert all(item.shape == (2, 2, *size) for item in trained + logits)
    assert all(torch.equal(a, b) for a, b in zip(trained, again, strict=True))
    # five different predictions
    assert len({item.sum().item() for item in logits}) == 5


def test_classes_and_volumes() -> None:
    network = NLCEN(2, out_channels=3, num_codes=4, spatial_dims=3, pyramid_channels=8).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 2, 32, 33, 32)).shape == (1, 3, 32, 33, 32)


def test_the_input_gradient_is_the_finite_difference() -> None:
    torch.manual_seed(0)
    network = randomized(NLCEN(1, pyramid_channels=16)).double().eval()
    generator = torch.Generator().manual_seed(3)
    x, direction = (torch.rand(1, 1, 37, 45, generator=generator, dtype=torch.float64) for _ in range(2))
    weights = torch.randn(5, 1, 2, 37, 45, generator=generator, dtype=torch.float64)

    def value(x: torch.Tensor) -> torch.Tensor:
        return sum(
            ((w * logits).sum() for w, logits in zip(weights, network.all_logits(x), strict=True)), torch.zeros(())
        )

    image = x.clone().requires_grad_()
    slope = (torch.autograd.grad(value(image), image)[0] * direction).sum().item()
    with torch.no_grad():
        difference = (value(x + 1e-7 * direction) - value(x - 1e-7 * direction)).item() / 2e-7
    assert slope == pytest.approx(difference, rel=1e-5)


def test_the_gradient_reaches_image_and_parameters_through_every_stage(small: NLCEN) -> None:
    x = torch.rand(2, 1, 64, 64, requires_grad=True)
    logits = small.all_logits(x)
    for prediction in logits:
        (gradient,) = torch.autograd.grad(prediction.square().sum(), x, retain_graph=True)
        assert gradient.abs().amax(dim=(1, 2, 3)).min() > 0
    used = torch.autograd.grad(sum(item.square().sum() for item in logits), list(small.parameters()))
    assert all(gradient.any() for gradient in used)


def test_the_gradient_passes_the_shortcuts() -> None:
    """MONAI's shortcut "A" detaches them; with the blocks' own path cut, nothing would be left for an attack."""
    network = NLCEN(1, nlce=False, pyramid_channels=8).eval()
    with torch.no_grad():
        for layer in (network.backbone.layer2, network.backbone.layer3, network.backbone.layer4):
            for block in layer:
                block.bn2.weight.zero_()
    x = torch.rand(1, 1, 64, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(network.all_logits(x)[4].square().sum(), x)
    assert gradient.any()


def nlce_parameters(c: int, non_local: bool, context: bool, k: int = 32) -> int:
    code = min(c, 512)
    return 4 * c * (c // 2) * non_local + (2 * c * code + k * code + k + 2 * k) * context


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_ablations_differ_by_their_parameters(backbone: str) -> None:
    def count(**arguments: bool) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in NLCEN(1, backbone=backbone, **arguments).parameters())

    base = count(nlce=False)
    for non_local, context in ((True, True), (True, False), (False, True)):
        expected = sum(nlce_parameters(c, non_local, context) for c in CHANNELS[backbone])
        assert count(non_local=non_local, context=context) - base == expected


def test_refinement_has_0_1_2_3_bottlenecks(small: NLCEN) -> None:
    assert [len(bottlenecks) for bottlenecks in small.refinement] == [0, 1, 2, 3]
    for bottlenecks, width in zip(small.refinement, CHANNELS["resnet18"], strict=True):
        for bottleneck in bottlenecks:
            shapes = [tuple(getattr(bottleneck, f"conv{n}").weight.shape) for n in (1, 2, 3)]
            assert shapes == [(width // 4, width, 1, 1), (width // 4, width // 4, 3, 3), (width, width // 4, 1, 1)]


def test_normalizes_inside(small: NLCEN) -> None:
    assert torch.equal(NLCEN(3, nlce=False).normalization.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    given = NLCEN(1, image_mean=[0.0], image_std=[1.0]).eval()
    own = {name: tensor for name, tensor in given.state_dict().items() if name.startswith("normalization.")}
    assert own.keys() == {"normalization.mean", "normalization.std"}
    given.load_state_dict({**small.state_dict(), **own})
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(small(x), given((x - 0.449) / 0.226), atol=1e-4)
        assert not torch.allclose(small(x), given(x), atol=1e-2)


def test_weights_are_channels_last_and_stay_so(small: NLCEN) -> None:
    copy = NLCEN(1)
    copy.load_state_dict(small.state_dict())
    for network in (small, copy):
        for parameter in network.parameters():
            assert parameter.ndim < 4 or parameter.is_contiguous(memory_format=torch.channels_last)


def test_state_dict_round_trip(small: NLCEN, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "model.pt")
    copy = NLCEN(1).eval()
    x = torch.rand(1, 1, 40, 40)
    with torch.no_grad():
        assert not torch.equal(copy(x), small(x))
        copy.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
        assert torch.equal(copy(x), small(x))


@pytest.mark.parametrize("arguments", [{}, {"nlce": False}, {"pyramid_channels": 16, "context": False}])
def test_scripts(arguments: dict[str, object]) -> None:
    network = randomized(NLCEN(1, **arguments)).eval()
    scripted = torch.jit.script(network)
    x = torch.rand(1, 1, 50, 41)
    with torch.no_grad():
        assert torch.allclose(scripted(x), network(x), atol=1e-5)
        for ours, reference in zip(scripted.all_logits(x), network.all_logits(x), strict=True):
            assert torch.allclose(ours, reference, atol=1e-5)
    assert len(scripted.train()(x)) == 5


def test_exports(small: NLCEN) -> None:
    x = torch.rand(1, 1, 64, 64)
    exported = torch.export.export(small, (x,)).module()
    other = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(exported(other), small(other), atol=1e-5)


def test_an_unknown_backbone() -> None:
    with pytest.raises(InputError, match="^NLCEN: backbone must be one of resnet18, resnet50, got 'resnet34'.$"):
        NLCEN(1, backbone="resnet34")


def wrong_block(path: Path) -> None:
    torch.save({n: t for n, t in torchvision_state("resnet18").items() if not n.startswith("layer4.1.conv2")}, path)


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda path: None, "There is no file {path}; name a file of weights."),
        (wrong_block, "{path} holds the weights of another network: 1 of .* the first is 'layer4.1.conv2.weight'; "),
        (
            lambda path: torch.save(torchvision_state("resnet18", in_channels=2), path),
            "{path} holds the weights of another network: 1 of .* the first is 'conv1.weight'; ",
        ),
        (
            lambda path: torch.save({"state_dict": torchvision_state("resnet18")}, path),
            "{path} holds the weights of another network: 101 of .* the first is 'bn1.bias'; ",
        ),
    ],
    ids=["absent", "other_block", "other_channels", "nested"],
)
def test_bad_backbone_weights(tmp_path: Path, write, message: str) -> None:
    path = tmp_path / "resnet.pth"
    write(path)
    with pytest.raises(InputError, match=f"^{message.format(path=re.escape(str(path)))}"):
        NLCEN(3, nlce=False, pyramid_channels=8, backbone_weights=path)


def test_weights_without_batch_counters_load(tmp_path: Path) -> None:
    state = {n: t for n, t in torchvision_state("resnet18").items() if not n.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    network = NLCEN(3, nlce=False, pyramid_channels=8, backbone_weights=tmp_path / "old.pth")
    assert torch.equal(network.backbone.layer4[1].bn2.running_var, state["layer4.1.bn2.running_var"])


def test_all_predictions_in_either_mode_with_a_gradient() -> None:
    network = NLCEN(1).eval()
    x = torch.rand(2, 1, 32, 40, requires_grad=True)
    predictions = AllLogits(network)(x)
    assert [tuple(logits.shape) for logits in predictions] == [(2, 2, 32, 40)] * 5
    assert torch.equal(predictions[0], network(x))
    for logits in predictions:
        assert torch.autograd.grad(logits.sum(), x, retain_graph=True)[0].abs().max() > 0


def test_a_network_with_one_prediction() -> None:
    message = "AllLogits: UNet has one prediction only; attack the network itself."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        AllLogits(UNet(1))
