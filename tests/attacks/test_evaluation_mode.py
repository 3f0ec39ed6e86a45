# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.attacks import evaluation_mode


def make_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 2, 3, padding=1)
    )


def leave_by_error(network: nn.Module) -> None:
    with pytest.raises(RuntimeError, match="^stop$"), evaluation_mode(network):
        raise RuntimeError("stop")


def leave(network: nn.Module) -> None:
    with evaluation_mode(network):
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
        network(torch.rand(2, 1, 6, 6))


@pytest.mark.parametrize("use", [leave, leave_by_error])
def test_it_leaves_the_network_as_it_was(use) -> None:
    network = make_network().train()
    network[1].eval()
    network[0].bias.requires_grad_(False)
    network[3].weight.grad = torch.ones_like(network[3].weight)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    use(network)
    assert [module.training for module in network.modules()] == modes == [True, True, False, True, True]
    assert [parameter.requires_grad for parameter in network.parameters()] == [True, False, True, True, True, True]
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(network[3].weight.grad, torch.ones_like(network[3].weight))


def test_it_keeps_the_running_statistics_and_makes_the_output_repeatable() -> None:
    network = make_network().train()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = torch.rand(2, 1, 6, 6)
    with evaluation_mode(network):
        assert torch.equal(network(x), network(x))
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    network(x)
    assert not torch.equal(network[1].running_mean, state["1.running_mean"])


def test_it_with_batch_statistics_normalizes_with_the_batch_and_keeps_nothing() -> None:
    network = make_network().eval()
    network[1].momentum = 0.3
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = 3 + 2 * torch.rand(4, 1, 6, 6)
    with evaluation_mode(network, batch_statistics=True):
        features = network[1](network[0](x))
        assert features.mean((0, 2, 3)).abs().max() < 1e-5
        # dropout stays off
        assert torch.equal(network(x), network(x))
    assert not any(module.training for module in network.modules()) and network[1].track_running_stats
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert network[1](network[0](x)).mean((0, 2, 3)).abs().max() > 0.1


def test_it_takes_torchscript() -> None:
    network = torch.jit.script(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))).train()
    with evaluation_mode(network):
        assert not network.training and not any(each.requires_grad for each in network.parameters())
    assert network.training and all(each.requires_grad for each in network.parameters())
