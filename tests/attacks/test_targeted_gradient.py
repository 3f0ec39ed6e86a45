# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

import re

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from data_prep.phantom_image import make_phantom
from pipeline.attacks import epsilon_sweep, frozen, inverse_mask, targeted_gradient
from pipeline.losses import PixelCrossEntropy
from pipeline.utils import InputError


def make_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 2, 3, padding=1)
    )


def test_inverse_mask() -> None:
    mask = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    assert torch.equal(inverse_mask(mask), torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]))
    assert inverse_mask(mask.to(torch.uint8)).tolist() == [[[[1, 0], [0, 1]]]]


@pytest.mark.parametrize("value", [0.5, 2.0, 255.0, -1.0, float("nan")])
def test_inverse_mask_of_other_values(value: float) -> None:
    message = "inverse_mask: the mask must hold 0 and 1 only; the paper's target is defined for two classes."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        inverse_mask(torch.tensor([[[[0.0, 1.0, value]]]]))


def test_inverse_mask_of_truth_values() -> None:
    message = "inverse_mask: the mask must hold numbers, got torch.bool; convert it with .float()."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        inverse_mask(torch.tensor([[[[True, False]]]]))


def leave_by_error(network: nn.Module) -> None:
    with pytest.raises(RuntimeError, match="^stop$"), frozen(network):
        raise RuntimeError("stop")


def leave(network: nn.Module) -> None:
    with frozen(network):
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
        network(torch.rand(2, 1, 6, 6))


@pytest.mark.parametrize("use", [leave, leave_by_error])
def test_frozen_leaves_the_network_as_it_was(use) -> None:
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


def test_frozen_keeps_the_running_statistics_and_makes_the_output_repeatable() -> None:
    network = make_network().train()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = torch.rand(2, 1, 6, 6)
    with frozen(network):
        assert torch.equal(network(x), network(x))
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    network(x)
    assert not torch.equal(network[1].running_mean, state["1.running_mean"])


def test_targeted_gradient_is_the_finite_difference_and_touches_nothing_else() -> None:
    network = make_network().double().eval()
    label = torch.randint(0, 2, (2, 1, 5, 4)).double()
    image = 255 * torch.rand(2, 1, 5, 4, dtype=torch.float64)
    before = image.clone()
    loss = PixelCrossEntropy(reduction="sum")
    # the evaluator's engine runs without gradients
    with torch.no_grad():
        gradient = targeted_gradient(network, loss, inverse_mask(label))(image)
        for index in ((0, 0, 0, 0), (0, 0, 4, 2), (1, 0, 2, 3)):
            shift = torch.zeros_like(image)
            shift[index] = 1e-3
            up, down = (loss(network((image + sign * shift) / 255), 1 - label) for sign in (1, -1))
            assert gradient[index].item() == pytest.approx((up - down).item() / 2e-3, rel=1e-5)
    assert not gradient.requires_grad and not image.requires_grad
    assert torch.equal(image, before)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_with_a_sum_the_images_of_a_batch_are_independent() -> None:
    network = make_network().eval()
    label, image = torch.randint(0, 2, (3, 1, 6, 6)).float(), 255 * torch.rand(3, 1, 6, 6)
    loss = PixelCrossEntropy(reduction="sum")
    together = targeted_gradient(network, loss, inverse_mask(label))(image)
    alone = [targeted_gradient(network, loss, inverse_mask(label[i : i + 1]))(image[i : i + 1]) for i in range(3)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-7)


def phantoms(indices: range) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = [make_phantom(0, index, size=64) for index in indices]
    image, mask = (torch.stack([torch.tensor(pair[k]) for pair in pairs])[:, None].float() / 255 for k in (0, 1))
    return image, mask


def dic(logits: torch.Tensor, mask: torch.Tensor) -> float:
    prediction = logits.argmax(1, keepdim=True).float()
    overlap, total = (prediction * mask).sum((1, 2, 3)), (prediction + mask).sum((1, 2, 3))
    return (2 * overlap / total).mean().item()


def test_the_attack_breaks_a_trained_u_net() -> None:
    torch.manual_seed(0)
    network = UNet(2, 1, 2, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=1, norm="batch")
    image, mask = phantoms(range(16))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for iteration in range(100):
        chosen = slice(8 * (iteration % 2), 8 * (iteration % 2) + 8)
        loss = PixelCrossEntropy()(network(image[chosen]), mask[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    image, mask = phantoms(range(100, 104))
    with torch.no_grad():
        clean = dic(network(image), mask)
    with frozen(network):
        gradient = targeted_gradient(network, PixelCrossEntropy(reduction="sum"), inverse_mask(mask))
        swept = epsilon_sweep(gradient, image * 255, [1e-4, 2.0, 8.0])
        attacked = {epsilon: dic(network(x / 255), mask) for epsilon, x in swept.items()}
    assert clean > 0.8
    assert attacked[1e-4] == pytest.approx(clean, abs=1e-3)
    assert attacked[8.0] < attacked[2.0] < clean
    assert attacked[8.0] < clean / 2


def test_frozen_with_batch_statistics_normalizes_with_the_batch_and_keeps_nothing() -> None:
    network = make_network().eval()
    network[1].momentum = 0.3
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = 3 + 2 * torch.rand(4, 1, 6, 6)
    with frozen(network, batch_statistics=True):
        features = network[1](network[0](x))
        assert features.mean((0, 2, 3)).abs().max() < 1e-5
        # dropout stays off
        assert torch.equal(network(x), network(x))
    assert not any(module.training for module in network.modules()) and network[1].track_running_stats
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert network[1](network[0](x)).mean((0, 2, 3)).abs().max() > 0.1
