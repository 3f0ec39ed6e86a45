# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from torch import nn

from pipeline.attacks import PGD, AttackedNetwork
from pipeline.defence import AdversarialBatch
from pipeline.losses import PixelCrossEntropy
from pipeline.utils import InputError
from tests.attacks.small import make_data, make_network


def batch(network: nn.Module) -> dict[str, torch.Tensor]:
    pictures, label = make_data(network)
    return {"image": pictures / 255, "label": label}


def test_pictures_are_attacked_within_the_drawn_epsilon_and_masks_stay() -> None:
    network = make_network()
    clean = batch(network)
    attacked = AttackedNetwork(network)
    before = attacked.scores(attacked.predict(255 * clean["image"], clean["label"]), clean["label"])[:, 0]
    reaches = []
    for seed in range(8):
        torch.manual_seed(seed)
        image, label = AdversarialBatch(network, PGD(4, 0.625), 16.0)(clean)
        torch.manual_seed(seed)
        reach = 16.0 * torch.rand(()).item()
        moved = 255 * (image - clean["image"]).abs().max().item()
        assert moved <= reach + 1e-3 and moved >= 0.9 * reach
        assert torch.equal(label, clean["label"]) and image.min() >= 0 and image.max() <= 1
        after = attacked.scores(attacked.predict(255 * image, label), label)[:, 0]
        reaches.append((reach, (before - after).mean().item()))
    assert max(reaches)[1] > min(reaches)[1] >= 0
    assert max(reaches)[1] > 0.05


def test_a_trainer_sees_the_attacked_batch_in_training_mode_and_the_attack_in_evaluation_mode() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    modes: list[tuple[bool, bool]] = []
    network.register_forward_pre_hook(lambda module, inputs: modes.append((module.training, inputs[0].requires_grad)))
    data = batch(make_network())
    items = [{key: value[index] for key, value in data.items()} for index in range(3)]
    counted = network[1].num_batches_tracked
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=DataLoader(items, batch_size=3),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        loss_function=PixelCrossEntropy(),
        prepare_batch=AdversarialBatch(network, PGD(2, 0.5), 8.0),
        decollate=False,
    )
    trainer.run()
    # two looks, then the step
    assert modes == [(False, True), (False, True), (True, False)] * 2
    assert counted == 2  # the attack leaves the statistics alone
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(("epsilon", "scale", "message"), [(0.0, 1, "epsilon must be above 0"), (8.0, 255, "values")])
def test_bad_input_is_refused(epsilon: float, scale: int, message: str) -> None:
    network = make_network()
    data: dict[str, Any] = batch(network)
    data["image"] = scale * data["image"]
    with pytest.raises(InputError, match=message):
        AdversarialBatch(network, PGD(2), epsilon)(data)
