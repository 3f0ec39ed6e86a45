# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from torch import nn

import pipeline.networks as networks
from pipeline.inference.export_network import export_network
from pipeline.networks import NLCE, NLCEN, insert_nlce
from pipeline.utils import InputError
from pipeline.weights import read_weights

SIZES = [(1, 256, 256), (3, 72, 40), (2, 75, 101)]
LAYERS = {
    "SLSDeep": ["encoder"],
    "NWCN": ["first.bottleneck", "second.bottleneck"],
    "UNet": ["bottleneck"],
    "InvertedNet": ["bottleneck"],
    "CDNN": ["bottleneck"],
}


def trained(network: nn.Module) -> nn.Module:
    """With an NLCE that does something: at its start it only halves its input."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, NLCE):
            for parameter in module.parameters():
                if parameter.ndim > 1:
                    # small enough for attention that is not all or nothing, which would magnify rounding
                    nn.init.normal_(parameter, std=0.5 * parameter[0].numel() ** -0.5)
    return network


def small_network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1))


def check(network: nn.Module, folder: Path) -> None:
    pt2, file, weights = export_network(network, 1, folder, {"version": "1.2"})
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "model.pt2", "model.safetensors"]
    extra = {"metadata.json": ""}
    program = torch.export.load(pt2, extra_files=extra).module()
    assert json.loads(extra["metadata.json"]) == {"version": "1.2"}
    onnx.checker.check_model(file)
    assert {entry.key: entry.value for entry in onnx.load(file).metadata_props}["metadata.json"] == '{"version": "1.2"}'
    with safe_open(weights, "pt") as saved:
        assert saved.metadata() == {"metadata.json": '{"version": "1.2"}'}
    state = read_weights(weights)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    network.eval()
    for batch, rows, columns in SIZES:
        image = torch.rand(batch, 1, rows, columns)
        with torch.no_grad():
            expected = network(image).numpy()
        np.testing.assert_allclose(program(image).detach().numpy(), expected, atol=1e-4)
        np.testing.assert_allclose(session.run(["pred"], {"image": image.numpy()})[0], expected, atol=1e-4)


@pytest.mark.parametrize("make", [small_network, pytest.param(lambda: NLCEN(1), marks=pytest.mark.slow)])
def test_pt2_and_onnx_at_any_size(make: Callable[[], nn.Module], tmp_path: Path) -> None:
    network = trained(make()).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check(network, tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_compared_networks_with_nlce(name: str, tmp_path: Path) -> None:
    check(trained(insert_nlce(getattr(networks, name)(1), LAYERS[name])), tmp_path)


class Undecided(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x if x.mean() > 0.5 else 1 - x)


class Unsteady(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + torch.rand_like(x).repeat(1, 2, 1, 1)


def test_a_network_that_gives_no_two_channels_of_finite_logits_is_not_exported(tmp_path: Path) -> None:
    spoiled = nn.Conv2d(1, 2, 1)
    nn.init.constant_(spoiled.weight, torch.nan)
    with pytest.raises(InputError, match=r"^Conv2d: the network must give logits, .* \(2, 1, 64, 96\) and type "):
        export_network(nn.Conv2d(1, 1, 1), 1, tmp_path, {})
    with pytest.raises(InputError, match=r"^Conv2d: the network gives logits that are not finite; "):
        export_network(spoiled, 1, tmp_path, {})
    assert not list(tmp_path.iterdir())


class Halving(nn.Conv2d):
    """Takes rows and columns that 16 divides only, as many a UNet does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = nn.functional.max_pool2d(x, 16)
        return super().forward(x + nn.functional.interpolate(small, scale_factor=16.0))


def test_a_network_of_some_sizes_or_other_pictures_only_ends_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"^\S+/model\.pt2: it must take pictures of any size, but pictures of 80 × 104 end in an error "
        r"\(.+\); it was not written\.$",
    ):
        export_network(Halving(1, 2, 1), 1, tmp_path, {})
    for network in (nn.Conv2d(3, 2, 1), nn.Conv2d(1, 2, 1).double()):
        with pytest.raises(
            InputError,
            match=r"^exporting: Conv2d cannot take images that are a tensor of shape \(2, 1, 64, 96\) and type "
            r"torch\.float32; ",
        ):
            export_network(network, 1, tmp_path, {})
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_or_comes_out_otherwise_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^Undecided cannot be exported \("):
        export_network(Undecided(1, 2, 1), 1, tmp_path, {})
    with pytest.raises(
        InputError, match=r"model\.pt2: its logits differ from the network's by .*; it was not written\.$"
    ):
        export_network(Unsteady(1, 2, 1), 1, tmp_path, {})
    assert not list(tmp_path.iterdir())
