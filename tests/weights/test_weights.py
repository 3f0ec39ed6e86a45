# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import hashlib
import json
import re
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pipeline.networks as networks
from pipeline.networks import NLCEN, insert_nlce
from pipeline.utils import InputError
from pipeline.weights import (
    fingerprint_file,
    fingerprint_network,
    first_non_finite,
    load_backbone_weights,
    load_network,
    load_weights,
    read_weights,
    safetensors_bytes,
)

TYPES = {"F32": np.float32, "I64": np.int64}
LAYERS = {
    "NLCEN": [],
    "SLSDeep": ["encoder"],
    "NWCN": ["first.bottleneck", "second.bottleneck"],
    "UNet": ["bottleneck"],
    "InvertedNet": ["bottleneck"],
    "CDNN": ["bottleneck"],
}
LOADERS: dict[str, Callable[[nn.Module, Path], Any]] = {
    "ckpt_path": load_network,
    "initial_weights": partial(load_network, setting="initial_weights"),
    "backbone_weights": lambda network, path: load_backbone_weights(network, path, in_channels=3),
}


class Tied(nn.Module):
    """Two layers with the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight


def save(network: nn.Module, path: Path, **metadata: str) -> Path:
    path.write_bytes(safetensors_bytes(network, metadata))
    return path


def parse(content: bytes) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and arrays by the description of the format: the header's length, a JSON header, the numbers."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        arrays[name] = np.frombuffer(content[first:last], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return metadata, arrays


@pytest.mark.parametrize("name", LAYERS)
def test_safetensors_hold_every_network_to_the_bit(name: str, tmp_path: Path) -> None:
    network = getattr(networks, name)(1)
    if LAYERS[name]:
        insert_nlce(network, LAYERS[name])
    other = copy.deepcopy(network)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape) * 100)
    path = save(network, tmp_path / "model.safetensors", key="value")
    metadata, arrays = parse(path.read_bytes())
    assert metadata == {"key": "value"}
    assert arrays.keys() == network.state_dict().keys()
    for key, tensor in network.state_dict().items():
        assert arrays[key].tobytes() == np.ascontiguousarray(tensor.numpy()).tobytes()
    assert fingerprint_network(load_network(other, path)) == fingerprint_network(network)
    layouts = [[tensor.stride() for tensor in each.state_dict().values()] for each in (network, other)]
    assert layouts[0] == layouts[1]


def test_weights_that_two_layers_share_are_there_for_both(tmp_path: Path) -> None:
    network = Tied()
    path = save(network, tmp_path / "model.safetensors")
    assert parse(path.read_bytes())[1].keys() == {"first.weight", "first.bias", "second.weight", "second.bias"}
    other = load_network(Tied(), path)
    assert other.first.weight is other.second.weight
    assert fingerprint_network(other) == fingerprint_network(network)


@pytest.mark.parametrize("setting", LOADERS)
def test_all_settings_that_name_weights_take_safetensors(setting: str, tmp_path: Path) -> None:
    network, other = NLCEN(3).backbone, NLCEN(3).backbone
    assert fingerprint_network(other) != fingerprint_network(network)
    LOADERS[setting](other, save(network, tmp_path / "weights.safetensors"))
    assert fingerprint_network(other) == fingerprint_network(network)


def cut(path: Path) -> None:
    save(nn.Linear(2, 2), path)
    path.write_bytes(path.read_bytes()[:-1])


DAMAGED = "{path} is not a safetensors file of weights, or is damaged; remove it or name another."


@pytest.mark.parametrize(
    "write, message",
    [
        (cut, DAMAGED),
        (lambda path: path.write_bytes(b""), DAMAGED),
        (lambda path: path.write_text("hello, no weights\n"), DAMAGED),
        (lambda path: torch.save(nn.Linear(2, 2).state_dict(), path), DAMAGED),
        (
            lambda path: save(nn.Linear(2, 3), path),
            "{path} holds the weights of another network: 2 of its names or shapes differ from Linear's, the first is "
            "'bias'; name the weights of this network.",
        ),
    ],
    ids=["cut", "empty", "text", "pytorch", "other_shape"],
)
def test_bad_safetensors(write: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write(path)
    with pytest.raises(InputError, match=f"^{re.escape(message.format(path=path))}$"):
        load_network(nn.Linear(2, 2), path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
@pytest.mark.parametrize("setting", LOADERS)
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_weights_that_are_not_finite(setting: str, ending: str, name: str, value: float, tmp_path: Path) -> None:
    spoiled = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    spoiled.state_dict()[name].view(-1)[-1] = value
    path = tmp_path / f"model.{ending}"
    save(spoiled, path) if ending == "safetensors" else torch.save(spoiled.state_dict(), path)
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    before = fingerprint_network(network)
    message = (
        f"{path} holds numbers that are not finite, first in '{name}', as a training that diverged leaves them; remove "
        "it or name another."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        LOADERS[setting](network, path)
    assert fingerprint_network(network) == before


def test_a_checkpoint_that_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save(
        {"network": nn.Linear(1, 1).state_dict(), "optimizer": {"state": {0: {"m": torch.tensor([1e39])}}}}, path
    )
    with pytest.raises(InputError, match=r"holds numbers that are not finite, first in 'optimizer\.state\.0\.m', as"):
        load_network(nn.Linear(1, 1), path)


def test_weights_that_the_networks_type_cannot_hold() -> None:
    state = {"weight": torch.tensor([[1e39]], dtype=torch.float64), "bias": torch.zeros(1)}
    network = nn.Linear(1, 1)
    before = fingerprint_network(network)
    with pytest.raises(InputError, match=r"^a\.pt holds numbers that are not finite, first in 'weight', as"):
        load_weights(network, state, "a.pt")
    assert fingerprint_network(network) == before
    load_weights(network.double(), state, "a.pt")
    assert network.weight.item() == 1e39


def test_only_tensors_count_as_not_finite() -> None:
    scheduler = {"best": float("inf"), "name": "nan", "count": torch.tensor(3), "half": torch.zeros(2).bfloat16()}
    assert first_non_finite({"scheduler": scheduler, "empty": torch.zeros(0)}) is None
    assert first_non_finite({"scheduler": scheduler | {"last": torch.tensor(float("inf"))}}) == "scheduler.last"


def test_no_file_of_weights(tmp_path: Path) -> None:
    message = f"There is no file {tmp_path}/gone.safetensors; name a file of weights."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_weights(tmp_path / "gone.safetensors")


def test_safetensors_under_another_name_are_no_pytorch_file(tmp_path: Path) -> None:
    path = save(nn.Linear(2, 2), tmp_path / "model.pt")
    message = f"{path} is not a PyTorch file of weights, or is damaged; remove it or name another."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_weights(path)


def test_fingerprint_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert fingerprint_file(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()
