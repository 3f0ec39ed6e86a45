# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable

import pytest
import torch
from monai.networks.nets import BasicUNet, DynUNet, FlexibleUNet, SegResNet, UNet
from torch import nn

from pipeline.networks import CDNN, NLCE, NLCEN, NWCN, InvertedNet, SLSDeep, insert_nlce
from pipeline.networks import UNet as PaperUNet
from pipeline.utils import InputError


def basic_unet(dims: int) -> nn.Module:
    return BasicUNet(dims, 1, 2, features=(4, 4, 6, 8, 10, 4))


def unet(dims: int) -> nn.Module:
    return UNet(dims, 3, 2, (4, 8, 10), (2, 2), num_res_units=1)


def segresnet(dims: int) -> nn.Module:
    return SegResNet(dims, 8, 1, 2, blocks_down=(1, 2, 2), blocks_up=(1, 1))


def dynunet(dims: int) -> nn.Module:
    return DynUNet(dims, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 6, 8])


def flexible_unet(dims: int) -> nn.Module:
    return FlexibleUNet(3, 2, "efficientnet-b0", decoder_channels=(8, 8, 8, 4, 4), spatial_dims=dims)


def flexible_resnet(dims: int) -> nn.Module:
    return FlexibleUNet(1, 2, "resnet10", decoder_channels=(8, 8, 8, 4, 4), spatial_dims=dims)


# network, the layer before the first upsampling, its channels; Sequentials (their subclasses) and other modules
NETWORKS = [
    (basic_unet, "down_4", 10),
    (basic_unet, "down_4.convs.conv_1.adn", 10),
    (unet, "model.1.submodule.1.submodule", 10),
    (unet, "model.0", 4),
    (segresnet, "down_layers.2", 32),
    (segresnet, "down_layers.2.1", 32),
    (dynunet, "bottleneck", 8),
    (flexible_unet, "encoder._blocks.6", 320),
    (flexible_resnet, "encoder.layer4", 512),
    (flexible_resnet, "decoder.blocks.0", 8),
]
IDS = [f"{make.__name__}-{layer}" for make, layer, _ in NETWORKS]
Make = Callable[[int], nn.Module]


def make_image(network: nn.Module, dims: int, size: int = 32) -> torch.Tensor:
    channels = next(module.in_channels for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Conv3d)))
    return torch.rand((2, channels) + (size,) * dims, generator=torch.Generator().manual_seed(0))


def run(network: nn.Module, image: torch.Tensor) -> torch.Tensor:
    # dropout and drop-connect draw the same numbers
    torch.manual_seed(0)
    with torch.no_grad():
        return network(image)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make, layer, channels", NETWORKS, ids=IDS)
def test_starts_as_the_bare_network_and_keeps_its_names(make: Make, layer: str, channels: int, dims: int) -> None:
    bare = make(dims)
    network = copy.deepcopy(bare)
    assert insert_nlce(network, layer, num_codes=4, context=False) is network
    nlce = network.get_submodule(f"{layer}.nlce")
    assert isinstance(nlce, NLCE) and nlce.w_z.weight.shape == (channels, channels // 2) + (1,) * dims
    image = make_image(bare, dims)
    # deep supervision and the like differ between the modes
    for training in (True, False):
        assert torch.equal(run(network.train(training), image), run(bare.train(training), image))
    result = network.load_state_dict(bare.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert set(result.missing_keys) == network.state_dict().keys() - bare.state_dict().keys()
    assert all("nlce" in name.split(".") for name in result.missing_keys) and result.missing_keys


@pytest.mark.parametrize("make, layer, channels", NETWORKS, ids=IDS)
def test_the_rest_of_the_network_sees_what_the_nlce_returns(make: Make, layer: str, channels: int) -> None:
    bare = make(2).eval()
    network = insert_nlce(copy.deepcopy(bare), layer, num_codes=4)
    bare.get_submodule(layer).register_forward_hook(lambda module, inputs, output: output * 0.5)
    image = make_image(bare, 2)
    assert torch.equal(run(network, image), run(bare, image))


@pytest.mark.parametrize("make, layer, channels", NETWORKS, ids=IDS)
def test_learns_and_survives_copies_and_files(make: Make, layer: str, channels: int) -> None:
    torch.manual_seed(0)  # with unlucky weights a gradient underflows
    network = insert_nlce(make(2), layer, num_codes=4).eval()
    nlce = network.get_submodule(f"{layer}.nlce")
    with torch.no_grad():
        for weight in (nlce.w_z.weight, nlce.w_gamma.weight):
            weight.normal_()
    # at least 2 × 2 positions: of a single one the attention has no gradient
    image = make_image(network, 2, 64).requires_grad_()
    network(image).square().sum().backward()
    assert image.grad is not None and image.grad.any()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in nlce.parameters())
    image = image.detach()
    expected = run(network, image)
    buffer = io.BytesIO()
    torch.save(network, buffer)
    buffer.seek(0)
    fresh = insert_nlce(make(2), layer, num_codes=4).eval()
    fresh.load_state_dict(network.state_dict())
    for other in (copy.deepcopy(network), torch.load(buffer, weights_only=False), fresh):
        assert torch.equal(run(other, image), expected)
        # the hook calls the copy's NLCE, not that of the original
        nn.init.constant_(other.get_submodule(f"{layer}.nlce").w_z.weight, torch.nan)
        assert run(other, image).isnan().any()
    assert torch.equal(run(network, image), expected)


@pytest.mark.parametrize(
    "make, layers, channels",
    [
        (PaperUNet, ["bottleneck"], 1024),
        (InvertedNet, ["bottleneck"], 16),
        (CDNN, ["bottleneck"], 256),
        (SLSDeep, ["encoder"], 2048),
        (NWCN, ["first.bottleneck", "second.bottleneck"], 32),
    ],
)
def test_the_networks_of_the_paper(make: Callable[[int], nn.Module], layers: list[str], channels: int) -> None:
    """On the meta device: only places and sizes matter."""
    with torch.device("meta"):
        bare, network = make(3), insert_nlce(make(3), layers)
        for layer in layers:
            nlce = network.get_submodule(layer)[-1]
            assert isinstance(nlce, NLCE) and nlce.theta.in_channels == channels
        assert network.eval()(torch.rand(1, 3, 64, 64)).shape == (1, 2, 64, 64)
    added = network.state_dict().keys() - bare.state_dict().keys()
    assert {name.split(".nlce.")[0] for name in added} == set(layers)


def test_several_layers_and_the_arguments() -> None:
    network = insert_nlce(dynunet(2), ["input_block", "bottleneck"], num_codes=5, non_local=False)
    for layer, channels in (("input_block", 4), ("bottleneck", 8)):
        nlce = network.get_submodule(f"{layer}.nlce")
        assert nlce.codewords.shape == (5, channels) and not nlce.non_local and not nlce.scaled
    assert insert_nlce(dynunet(2), ["bottleneck"], scaled=True).bottleneck.nlce.scaled


@pytest.mark.parametrize("training", [True, False])
def test_takes_mode_dtype_and_memory_format(training: bool) -> None:
    network = insert_nlce(NLCEN(1, nlce=False).double().train(training), "backbone.layer2", num_codes=4)
    assert all(module.training is training for module in network.modules())
    nlce = network.backbone.layer2.nlce
    assert all(parameter.dtype == torch.float64 for parameter in nlce.parameters())
    assert (
        nlce.theta.weight.stride()
        == network.top_down[0]
        .weight[:1, :1]
        .expand(64, 128, 1, 1)
        .contiguous(memory_format=torch.channels_last)
        .stride()
    )
    with torch.device("meta"):
        network = unet(2)
    assert insert_nlce(network, "model.0").get_submodule("model.0.nlce").theta.weight.device.type == "meta"


def test_leaves_the_network_alone_but_for_the_nlce() -> None:
    bare = segresnet(2).train()
    network = copy.deepcopy(bare)
    before = list(network.parameters())
    insert_nlce(network, "down_layers.2", num_codes=4)
    after = dict(network.named_parameters())
    assert all(after[name] is old for (name, _), old in zip(bare.named_parameters(), before, strict=True))
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in bare.state_dict().items())
    hooks = {name for name, module in network.named_modules() if module._forward_hooks}
    assert hooks == set()


class Small(nn.Module):
    """A network with layers of every kind that cannot have an NLCE."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.pair = Pair()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Conv2d(4, 2, 1)
        self.unused = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.act(self.conv(x)))
        x, pooled = self.pair(x)
        return self.head(x) * self.pool(pooled).mean()


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


NEAREST = "the nearest that can be named: {}."


@pytest.mark.parametrize(
    "layer, message",
    [
        ("hed", "Small has no layer 'hed'; " + NEAREST.format("head, pool.0, conv")),
        ("", "Small has no layer ''; " + NEAREST.format("pool.0, head, conv")),
        ("conv.weight", "Small has no layer 'conv.weight'; " + NEAREST.format("conv, pool.0, head")),
        (
            "pair",
            "the output of the layer 'pair' is a tuple and is not a feature map (B, C, H, W); "
            + NEAREST.format("head, pool.0, conv"),
        ),
        (
            "pool",
            "the output of the layer 'pool' has the shape (1, 4) and is not a feature map (B, C, H, W); "
            + NEAREST.format("pool.0, conv, head"),
        ),
        (
            "act",
            "the layer 'act' is called 2 times in a forward pass, and must be called exactly once; "
            + NEAREST.format("head, conv, pool.0"),
        ),
        (
            "unused",
            "the layer 'unused' is called never in a forward pass, and must be called exactly once; "
            + NEAREST.format("head, conv, pool.0"),
        ),
        (["conv", "head", "conv"], "the layer 'conv' is named twice; name it once."),
    ],
)
def test_bad_layers(layer: str | list[str], message: str) -> None:
    network = Small()
    with pytest.raises(InputError, match=f"^{re.escape(f'insert_nlce: {message}')}$"):
        insert_nlce(network, layer)
    assert network.state_dict().keys() == Small().state_dict().keys()


def test_the_list_of_candidates_stays_readable() -> None:
    with pytest.raises(InputError, match=r"named: encoder.layer4, encoder.layer3, .* \(and 118 more\)\.$"):
        insert_nlce(flexible_resnet(2), "encoder.layer5")


@pytest.mark.parametrize("make, layer", [(segresnet, "down_layers.2"), (dynunet, "bottleneck")])
def test_a_second_nlce_at_the_same_place(make: Make, layer: str) -> None:
    network = insert_nlce(make(2), layer, num_codes=4)
    for name in (layer, f"{layer}.nlce", f"{layer}.nlce.theta"):
        with pytest.raises(
            InputError, match=f"^insert_nlce: there is an NLCE at '{name}' already; name another layer.$"
        ):
            insert_nlce(network, name)
    # the bottleneck's other name
    if make is dynunet:
        (other,) = {n.removesuffix(".nlce.smoothing") for n in network.state_dict() if n.endswith("nlce.smoothing")} - {
            layer
        }
        with pytest.raises(InputError, match="already"):
            insert_nlce(network, other)
        with pytest.raises(InputError, match="is named twice"):
            insert_nlce(make(2), [layer, other])


def test_a_bad_argument_leaves_the_network_as_it_was() -> None:
    network = dynunet(2)
    with pytest.raises(InputError, match="^NLCE: num_codes must be at least 1, got 0.$"):
        insert_nlce(network, "bottleneck", num_codes=0)
    assert network.state_dict().keys() == dynunet(2).state_dict().keys()


def test_networks_that_cannot_be_looked_into() -> None:
    message = "insert_nlce: Linear has no 2D or 3D convolution; name a segmentation network."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        insert_nlce(nn.Linear(2, 2), "weight")

    class TwoInputs(Small):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return super().forward(x + y)

    with pytest.raises(InputError, match=r"no image passed TwoInputs.* \(B, C, H, W\) \(.*positional argument: 'y'\)"):
        insert_nlce(TwoInputs(), "conv")


class MakesChannels(Small):
    """Takes grey or RGB and makes more channels of it, with tensors that the meta device cannot be mixed with."""

    def __init__(self) -> None:
        super().__init__(channels=6)
        self.weights = [torch.ones(3, 1, 1)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] != 3 or x.shape[2] < 96:
            raise ValueError("RGB of 96 pixels or more, please.")
        return super().forward(torch.cat([x * self.weights[0], x**2], dim=1))


def test_finds_channels_and_size_where_the_meta_device_fails() -> None:
    network = insert_nlce(MakesChannels(), "conv", num_codes=4)
    assert network.conv.nlce.codewords.shape == (4, 4)
    assert network(torch.rand(1, 3, 96, 96)).shape == (1, 2, 96, 96)


def test_exports() -> None:
    image = torch.rand(2, 1, 32, 32)
    for network, layer in ((segresnet(2), "down_layers.2"), (dynunet(2), "bottleneck")):
        insert_nlce(network.eval(), layer, num_codes=4)
        nlce = network.get_submodule(f"{layer}.nlce")
        nn.init.normal_(nlce.w_gamma.weight)
        exported = torch.export.export(network, (image,)).module()
        assert torch.allclose(run(exported, image), run(network, image), atol=1e-5)
