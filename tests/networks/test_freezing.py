# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch
from monai.engines import SupervisedTrainer
from monai.networks.nets import DynUNet, SegResNet
from torch import nn

from pipeline.losses import PixelCrossEntropy
from pipeline.networks import NLCEN, freeze_except, insert_nlce
from pipeline.utils import InputError
from pipeline.weights import load_network


class WithDropout(nn.Module):
    """Every kind of layer whose mode matters, in front of an NLCE's place."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
            nn.ReLU(),
            nn.Dropout(0.5),
        )
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))


def train(network: nn.Module, weight_decay: float = 0.1) -> None:
    """Three steps of MONAI's trainer, which calls ``network.train()`` in each; weight decay would move everything."""
    generator = torch.Generator().manual_seed(0)
    batches = [
        {
            "image": torch.rand(2, 1, 16, 16, generator=generator),
            "label": torch.randint(0, 2, (2, 1, 16, 16), generator=generator).float(),
        }
        for _ in range(3)
    ]
    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=batches,
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=weight_decay),
        loss_function=PixelCrossEntropy(),
        decollate=False,
    ).run()
    assert network.training


def test_only_the_named_part_moves() -> None:
    torch.manual_seed(0)
    network = insert_nlce(WithDropout(), "encoder", num_codes=4)
    # gradients of an earlier training would still move what is frozen
    network(torch.rand(2, 1, 16, 16)).sum().backward()
    before = copy.deepcopy(network.state_dict())
    assert freeze_except(network, "nlce") is network
    train(network)
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved and all(name.startswith("encoder.nlce.") for name in moved)
    # parameters, running statistics and counter of the NLCE all move
    assert moved == {name for name in before if name.startswith("encoder.nlce.")}


def test_frozen_layers_evaluate_in_training_mode() -> None:
    torch.manual_seed(0)
    network = insert_nlce(WithDropout(), "encoder", num_codes=4, context=False)
    train(network)
    x = torch.rand(2, 1, 16, 16)
    with torch.no_grad():
        expected = network.eval()(x)
        assert not torch.equal(copy.deepcopy(network).train()(x), expected)
        freeze_except(network.train(), "nlce")
        for other in (network, copy.deepcopy(network)):
            assert torch.equal(other.train()(x), expected)
            assert other.training and other.encoder.nlce.training


def test_a_frozen_network_still_returns_what_it_trains_with() -> None:
    network = freeze_except(NLCEN(1, num_codes=4), ["nlce", "refined_head"]).train()
    assert len(network(torch.rand(2, 1, 32, 32))) == 5
    free = {name.split(".")[0] for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert free == {"nlce", "refined_head"}
    assert network.nlce[0].norm.training and not network.backbone.bn1.training


def test_a_layer_of_two_names_is_named_by_either() -> None:
    for name in ("bottleneck", "skip_layers"):
        network = freeze_except(DynUNet(2, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 6, 8]), name)
        assert network.bottleneck.conv1.conv.weight.requires_grad
        assert not network.output_block.conv.conv.weight.requires_grad


@pytest.mark.parametrize(
    "names, wrong, nearest",
    [
        ("nlse", "nlse", "nlce, norm, head, bias, theta, weight, reduce, encoder"),
        (["nlce", "decoder"], "decoder", "encoder, codewords, norm, nlce, head, theta, weight, reduce"),
        ("nlce.theta", "nlce.theta", "theta, nlce, head, weight, reduce, encoder, smoothing, codewords"),
    ],
)
def test_names_that_leave_nothing_to_train(names: str | list[str], wrong: str, nearest: str) -> None:
    network = insert_nlce(WithDropout(), "encoder", num_codes=4)
    message = (
        f"freeze_except: no parameter of WithDropout that can be trained has '{wrong}' in its name; the nearest parts "
        f"of the names: {nearest}."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        freeze_except(network, names)
    assert all(parameter.requires_grad for parameter in network.parameters())
    freeze_except(network, "nlce")
    with pytest.raises(InputError, match="^freeze_except: no parameter of WithDropout that can be trained has 'head'"):
        freeze_except(network, "head")


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"network": state, "epoch": 3}])
def test_starts_from_the_bare_network(tmp_path: Path, wrap) -> None:
    bare = SegResNet(2, 8, 1, 2, blocks_down=(1, 1), blocks_up=(1,))
    torch.save(wrap(bare.state_dict()), tmp_path / "model.pt")
    network = insert_nlce(SegResNet(2, 8, 1, 2, blocks_down=(1, 1), blocks_up=(1,)), "down_layers.1", num_codes=4)
    before = copy.deepcopy(network.state_dict())
    assert load_network(network, tmp_path / "model.pt", "nlce") is network
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, bare.state_dict().get(name, before[name])), name


def test_weights_of_the_new_parts_are_loaded_where_the_file_has_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = insert_nlce(WithDropout(), "encoder", num_codes=4, context=False)
    nn.init.normal_(trained.encoder.nlce.w_z.weight)
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    network = load_network(insert_nlce(WithDropout(), "encoder", num_codes=4), tmp_path / "model.pt", ["nlce", "else"])
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in trained.state_dict().items())


@pytest.mark.parametrize(
    "change, new, first",
    [
        (lambda state: state.pop("head.weight"), "nlce", "head.weight"),
        (lambda state: state.update({"tail.weight": torch.zeros(1)}), "nlce", "tail.weight"),
        (lambda state: state.update({"head.bias": torch.zeros(3)}), "nlce", "head.bias"),
        (lambda state: None, (), "encoder.nlce.codewords"),
        (lambda state: state.update({"encoder.nlce.smoothing": torch.zeros(5)}), "nlce", "encoder.nlce.smoothing"),
    ],
    ids=["lacks", "has_more", "shape", "nothing_new", "shape_of_the_new"],
)
def test_weights_that_differ_elsewhere(tmp_path: Path, change, new, first: str) -> None:
    state = WithDropout().state_dict()
    change(state)
    torch.save(state, tmp_path / "model.pt")
    network = insert_nlce(WithDropout(), "encoder", num_codes=4)
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(InputError, match=f"the first is '{re.escape(first)}'; name the weights of this network.$"):
        load_network(network, tmp_path / "model.pt", new)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
