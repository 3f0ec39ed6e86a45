# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import functools
import operator
import os
import subprocess
import sys
from collections.abc import Callable

import torch
from monai.inferers import SlidingWindowInferer
from monai.losses import DeepSupervisionLoss
from monai.networks.nets import BasicUNet
from torch import nn

from pipeline.attacks import describe, network_identity
from pipeline.losses import PixelCrossEntropy


def enclosing(factor: float) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return sum((factor * channel.sum() for channel in logits), torch.zeros(()))

    return loss


def test_losses_are_told_apart() -> None:
    losses = [
        PixelCrossEntropy("sum"),
        DeepSupervisionLoss(PixelCrossEntropy("sum"), weights=[0.5]),
        DeepSupervisionLoss(PixelCrossEntropy("sum"), weights=[0.25]),
        DeepSupervisionLoss(PixelCrossEntropy("mean"), weights=[0.5]),
        lambda logits, target: logits.sum(),
        lambda logits, target: logits.softmax(1).sum(),
        *(functools.partial(torch.nn.functional.cross_entropy, label_smoothing=smoothing) for smoothing in (0.0, 0.1)),
        *(torch.nn.CrossEntropyLoss(weight=torch.tensor(weights)) for weights in ([1.0, 2.0], [2.0, 1.0])),
        *(enclosing(factor) for factor in (1.0, 2.0)),
        *((lambda logits, target, factor=factor: factor * logits.sum()) for factor in (1.0, 2.0)),
    ]
    assert len({describe(loss) for loss in losses}) == len(losses)
    # the address of nested code, which every process has its own of, tells nothing
    assert describe(enclosing(1.0)) == describe(enclosing(1.0))
    assert describe(PixelCrossEntropy("sum")) == describe(PixelCrossEntropy("sum").eval())


def scale(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


class Pooled(nn.Module):
    """Weights that are one number; what it computes is in its attributes."""

    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.size = size
        self.options = {"padding": 0}
        self.last = nn.Identity()
        self.register_buffer("shift", torch.zeros(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(nn.functional.avg_pool2d(x, self.size, **self.options) * self.weight + self.shift)


class Scaled(Pooled):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scale(super().forward(x))


def changed(change: Callable[[Pooled], object]) -> nn.Module:
    network = Pooled()
    change(network)
    return network


def test_networks_of_equal_weights_are_told_apart_by_what_they_compute() -> None:
    def same_name(factor: float) -> nn.Module:
        class Scaled(Pooled):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return factor * x

        return Scaled()

    networks = [
        Pooled(),
        Pooled(2),
        Scaled(),
        same_name(2.0),
        same_name(3.0),
        changed(lambda network: network.options.update(padding=1)),
        changed(lambda network: setattr(network, "last", nn.Tanh())),
        changed(lambda network: network.shift.fill_(1.0)),
        changed(lambda network: network.weight.data.fill_(2.0)),
        changed(lambda network: network.register_forward_hook(lambda module, x, y: -y)),
        changed(lambda network: network.register_forward_hook(lambda module, x, y: y + 1)),
        changed(lambda network: network.register_forward_pre_hook(lambda module, x: None)),
        # a function of its own that encloses the network
        changed(lambda network: setattr(network, "forward", lambda x: network.weight * x)),
        nn.Sequential(Pooled()),
    ]
    assert len({network_identity(network) for network in networks}) == len(networks)


def test_a_helper_beside_a_class_counts() -> None:
    before, own = network_identity(Scaled()), globals()["scale"]
    globals()["scale"] = eval("lambda x: 3 * x", {"__name__": __name__})
    try:
        assert network_identity(Scaled()) != before
    finally:
        globals()["scale"] = own
    assert network_identity(Scaled()) == before


def test_a_copy_of_a_network_and_its_mode_are_not_told_apart() -> None:
    network = BasicUNet(spatial_dims=2, features=(4, 4, 4, 4, 4, 4))
    copied = BasicUNet(spatial_dims=2, features=(4, 4, 4, 4, 4, 4))
    copied.load_state_dict(network.state_dict())
    for other in (copied, copied.eval(), copy.deepcopy(network)):
        assert network_identity(other) == network_identity(network)
    copied(torch.rand(1, 1, 32, 32))
    assert network_identity(copied) == network_identity(network)


def test_another_process_gives_the_same() -> None:
    """Sets, and the names of functions' addresses, differ from process to process."""
    code = (
        "import torch; from monai.networks.nets import BasicUNet; from pipeline.attacks import network_identity;"
        "torch.manual_seed(0); print(network_identity(BasicUNet(spatial_dims=2, features=(4, 4, 4, 4, 4, 4))))"
    )
    environments = [os.environ | {"PYTHONHASHSEED": seed} for seed in ("1", "2")]
    found = {
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        for env in environments
    }
    torch.manual_seed(0)
    assert found == {network_identity(BasicUNet(spatial_dims=2, features=(4, 4, 4, 4, 4, 4))) + "\n"}


def test_what_is_written_in_c_is_told_by_its_name_and_settings() -> None:
    functions = [operator.itemgetter(0), torch.relu, torch.sigmoid, str.upper, torch.Tensor.sum, (lambda x: x).__call__]
    assert len({describe(function) for function in functions}) == len(functions)
    scripted = [torch.jit.script(nn.Sequential(nn.Conv2d(1, 2, 3), last)) for last in (nn.ReLU(), nn.Tanh())]
    scripted[1].load_state_dict(scripted[0].state_dict())
    assert network_identity(scripted[0]) != network_identity(scripted[1])


def test_inferers_are_told_apart() -> None:
    inferers = [SlidingWindowInferer(8), SlidingWindowInferer(16), SlidingWindowInferer(8, mode="gaussian")]
    assert len({describe(inferer) for inferer in inferers}) == 3
    assert describe(SlidingWindowInferer(8)) == describe(inferers[0])
    methods = [inferer.__call__ for inferer in inferers]
    assert len({describe(method) for method in methods}) == 3
