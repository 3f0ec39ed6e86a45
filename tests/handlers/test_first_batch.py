# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from monai.inferers import SimpleInferer
from monai.losses import DeepSupervisionLoss
from torch import nn
from torch.utils.data import DataLoader

from pipeline.handlers import check_evaluation, check_training
from pipeline.losses import PixelCrossEntropy
from pipeline.networks import NLCEN, NWCN, freeze_except
from pipeline.utils import InputError

CPU = torch.device("cpu")


class Gives(nn.Module):
    """Gives what ``change`` makes of logits, in training mode what ``in_training`` makes of them."""

    def __init__(
        self, change: Callable[[torch.Tensor], Any], in_training: Callable[[torch.Tensor], Any] | None = None
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.change, self.in_training = change, in_training or change

    def forward(self, x: torch.Tensor) -> Any:
        return (self.in_training if self.training else self.change)(self.conv(x))


def make_item(size: int = 64, channels: int = 1, **changes: torch.Tensor) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(channels, size, size, generator=generator)
    return {"image": image, "label": (image[:1] > 0.5).float(), "id": "a", **changes}


def evaluation(network: nn.Module, item: dict[str, Any] | None = None) -> None:
    check_evaluation(network, SimpleInferer(), make_item() if item is None else item, CPU)


def training(network: nn.Module, loss: Any = None, item: dict[str, Any] | None = None, batch_size: int = 8) -> None:
    loss = PixelCrossEntropy() if loss is None else loss
    item = make_item() if item is None else item
    loader = DataLoader([item] * 8, batch_size, shuffle=True)
    check_training(network, SimpleInferer(), loss, item, loader, CPU)


def snapshot(network: nn.Module) -> list[torch.Tensor]:
    values = [*network.parameters(), *network.buffers(), torch.get_rng_state()]
    return [value.detach().clone() for value in values]


def deep_supervision() -> DeepSupervisionLoss:
    return DeepSupervisionLoss(PixelCrossEntropy(), weights=[0.25] * 5)


def frozen_nlcen() -> nn.Module:
    return freeze_except(NLCEN(1), ["nlce"])


@pytest.mark.parametrize("training_mode", [True, False])
@pytest.mark.parametrize(
    ("make", "loss"),
    [
        (lambda: NLCEN(1), deep_supervision()),
        (frozen_nlcen, deep_supervision()),
        (lambda: NWCN(1), PixelCrossEntropy()),
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5)), PixelCrossEntropy()),
    ],
    ids=["nlcen", "frozen", "nwcn", "dropout"],
)
def test_network_and_random_state_stay_as_they_are(
    make: Callable[[], nn.Module], loss: Any, training_mode: bool
) -> None:
    network = make().train(training_mode)
    next(network.parameters()).requires_grad_(False)
    modes = [module.training for module in network.modules()]
    gradients = [parameter.requires_grad for parameter in network.parameters()]
    before = snapshot(network)
    evaluation(network)
    training(network, loss)
    assert all(torch.equal(*pair) for pair in zip(snapshot(network), before, strict=True))
    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == gradients
    assert all(parameter.grad is None for parameter in network.parameters())


def test_what_is_refused_leaves_the_network_as_it_was() -> None:
    network = Gives(lambda x: [x]).train()
    network.norm = nn.BatchNorm2d(2)
    network.in_training = lambda x: [network.norm(x)]
    before = snapshot(network)
    for check in (evaluation, training):
        with pytest.raises(InputError):
            check(network)
        assert network.training and network.norm.training
        assert all(torch.equal(*pair) for pair in zip(snapshot(network), before, strict=True))


def test_networks_outside_the_contract() -> None:
    with pytest.raises(InputError, match="^The first test picture: the network must give logits, .*'out'; change it"):
        evaluation(Gives(lambda x: {"out": x}))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (make_item(label=torch.zeros(1, 64, 64, dtype=torch.bool)), "The first test picture: the masks must be "),
        (make_item(label=torch.full((1, 64, 64), 255.0)), "The first test picture: the masks hold values from 255 to "),
        (make_item(image=torch.full((1, 64, 64), 255.0)), "The first test picture: the images hold values from 255 to"),
        (make_item(image=torch.randn(1, 64, 64)), "The first test picture: the images hold values from -"),
        (make_item(channels=3), "The first test picture: Gives cannot take images that are a tensor of shape (1, 3, "),
    ],
    ids=["bool_mask", "mask_of_255", "image_of_255", "z_scores", "color"],
)
def test_data_outside_the_contract(item: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        evaluation(Gives(lambda x: x), item)


def test_masks_of_the_training_are_checked_too() -> None:
    with pytest.raises(InputError, match=r"^The first training picture: the masks hold values from 0 to 255, but"):
        training(Gives(lambda x: x), item=make_item(label=255 * make_item()["label"]))


@pytest.mark.parametrize(
    ("in_training", "loss", "found", "why"),
    [
        (lambda x: [x, x], PixelCrossEntropy(), "a list of 2, the first being a tensor of shape (2, 2, ", "Attribute"),
        (lambda x: {"out": x}, PixelCrossEntropy(), "a dictionary with the keys 'out'", "Attribute"),
        (lambda x: x[:, 1:], PixelCrossEntropy(), "a tensor of shape (2, 1, 64, 64)", "Index"),
        (lambda x: x[..., ::2], PixelCrossEntropy(), "a tensor of shape (2, 2, 64, 32)", "Value"),
        (lambda x: x, lambda logits, masks: 0.5, "a tensor of shape (2, 2, 64, 64)", "Attribute"),
    ],
    ids=["list", "dict", "one_channel", "half_size", "no_tensor"],
)
def test_losses_that_do_not_take_what_the_network_gives(
    in_training: Callable[[torch.Tensor], Any], loss: Any, found: str, why: str
) -> None:
    network = Gives(lambda x: x, in_training)
    evaluation(network)
    with pytest.raises(InputError) as raised:
        training(network, loss)
    message = str(raised.value)
    begin = "The first training picture: the loss cannot be computed from what the network gives in training mode, "
    assert message.startswith(begin + found)
    end = ", and the masks, a tensor of shape (2, 1, 64, 64) and type torch.float32"
    assert f"{end} ({why}Error: " in message


def test_a_loss_that_is_not_finite_is_left_to_the_training() -> None:
    training(Gives(lambda x: x * torch.nan))


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        ([0.5, 0.5, 0.5], "the network gives 2 outputs, but [0.5, 0.5, 0.5] are 3 weights."),
        ([0.5], "the network gives 2 outputs, but [0.5] are 1 weights."),
        ([0.5, -0.5], "[0.5, -0.5]; give finite weights of at least 0, not all of them 0."),
        ([0.0, 0.0], "[0.0, 0.0]; give finite weights of at least 0, not all of them 0."),
        ([0.5, torch.nan], "[0.5, nan]; give finite weights of at least 0, not all of them 0."),
    ],
)
def test_weights_of_deep_supervision(weights: list[float], fault: str) -> None:
    network = Gives(lambda x: x, lambda x: [x, x])
    training(network, DeepSupervisionLoss(PixelCrossEntropy(), weights=[0.5, 0.0]))
    with pytest.raises(InputError) as raised:
        training(network, DeepSupervisionLoss(PixelCrossEntropy(), weights=weights))
    assert str(raised.value) == f"loss#weights: {fault}"


def test_a_network_with_one_output_takes_any_number_of_weights() -> None:
    training(Gives(lambda x: x), DeepSupervisionLoss(PixelCrossEntropy(), weights=[0.25] * 5))


def test_a_loader_that_gives_no_batch() -> None:
    loader = DataLoader([make_item()], batch_size=2, drop_last=True)
    with pytest.raises(InputError, match=r"^The training data give no batch; reduce --batch_size, or give more"):
        check_training(Gives(lambda x: x), SimpleInferer(), PixelCrossEntropy(), make_item(), loader, CPU)


def test_batches_of_one_where_normalization_needs_more() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(2), nn.Upsample(64))
    training(network, batch_size=2)
    with pytest.raises(InputError, match=r"ValueError: Expected more than 1 value per channel when training"):
        training(network, batch_size=1)
