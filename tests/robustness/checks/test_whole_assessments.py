# SPDX-License-Identifier: Apache-2.0
"""The checks at the end of whole assessments: of honest networks that attacks treat oddly, and of one that is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from torch import nn

from pipeline.robustness import Budget, assess_robustness
from tests.robustness.planted import phantoms, towards_the_inverse_mask, trained_unet


def blobs(
    count: int, radii: tuple[float, float], seed: int, bright: float = 0.45, size: int = 48
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy pictures (B, 1, size, size) of one bright ellipse each on ground of .25, and its masks."""
    generator = torch.Generator().manual_seed(seed)
    axis, (low, high) = torch.arange(size), radii
    masks = []
    for _ in range(count):
        centre = size * (0.3 + 0.4 * torch.rand(2, generator=generator))
        radius = low + (high - low) * torch.rand(2, generator=generator)
        y, x = ((axis - at) / each for at, each in zip(centre, radius, strict=True))
        masks.append(y[:, None] ** 2 + x[None] ** 2 < 1)
    label = torch.stack(masks).unsqueeze(1).float()
    noise = 0.03 * torch.randn(label.shape, generator=generator)
    return (0.25 + (bright - 0.25) * label + noise).clamp(0, 1), label


class Blurred(nn.Module):
    """Where a 7 × 7 window is bright enough is the object: with a low threshold it is drawn a rim too large."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = F.softplus(x - 0.3, beta=40) / 0.15
        z = 5 * (F.avg_pool2d(F.pad(bright, [3] * 4, mode="replicate"), 7, 1) - self.threshold)
        return torch.cat([-z, z], 1)


class Stuck(nn.Module):
    """Whatever a picture shows, a disc in its middle."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        axis = torch.linspace(-1, 1, x.shape[-1])
        z = 0.22 - (axis[:, None] ** 2 + axis[None] ** 2).sqrt() + 1e-6 * x
        return torch.cat([-z, z], 1)


def assessed(
    network: nn.Module, picture: torch.Tensor, label: torch.Tensor, folder: Path, **settings: Any
) -> tuple[Mapping[str, Any], dict[str, Mapping[str, Any]]]:
    """The report of an assessment, and its checks that failed."""
    names = [f"image_{index}" for index in range(len(picture))]
    batches = [{"image": picture, "label": label, "id": names}]
    settings = {"budget": "quick", "progress": False, **settings}
    report = assess_robustness(network.eval(), batches, folder, **settings)
    return report, {check["name"]: check for check in report["checks"] if check["status"] == "failed"}


def test_a_network_that_draws_too_much_is_honest(tmp_path: Path) -> None:
    report, failed = assessed(Blurred(0.35), *blobs(4, (9, 12), 0), tmp_path)
    paper, worst = (curve["8"]["DIC"] for curve in (report["attacks"]["paper"], report["worst_case"]))
    # the attack trims the rim at a small ε, where another one takes a lot
    assert paper > report["clean"]["DIC"] and paper - worst > 0.05
    assert failed == {}


def test_attacks_of_one_direction_cannot_move_where_masks_are_empty_or_full(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 2, 1))
    picture, label = blobs(6, (5, 8), 0)
    # what it says of some pictures is right, so that there is something to lose
    with torch.no_grad():
        network[2].bias[1] -= (network(picture)[:3, 1] - network(picture)[:3, 0]).median()
        label[:3] = network(picture[:3]).argmax(1, keepdim=True).float()
    label[3:5], label[5] = 0, 1
    budget = Budget((8.0,), {"dice": 4, "shrink": 3, "grow": 3}, 4, 4, checked=2)
    report, _ = assessed(network, picture, label, tmp_path, budget=budget)
    moving = next(check for check in report["checks"] if check["name"] == "attacks move")
    assert "as an empty or a full mask gives the attack no gradient" in moving["meaning"]
    # the refinement has nothing left to do on a network as plain as this; that is not asked here
    assert "shrink" not in moving["meaning"] and "grow" not in moving["meaning"]


def test_a_huge_epsilon_is_held_to_the_floor_of_the_pictures_that_it_is_tried_on(tmp_path: Path) -> None:
    picture, label = blobs(8, (8, 12), 0)
    label[4:] = 0
    # half of the training masks are empty, so that the best constant mask is: DIC 1 on these, 0 on the others
    report, failed = assessed(
        Stuck(), picture, label, tmp_path, training_masks=[*torch.zeros(2, 1, 48, 48), *label[:1]]
    )
    assert set(report["floor"].values()) == {0.5}
    assert 0.3 < failed["a huge ε breaks it"]["value"] < 0.5


@pytest.mark.slow
def test_a_network_for_a_small_organ_is_honest(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = UNet(2, 1, 2, (8, 16, 32), (2, 2), num_res_units=1, norm="batch")
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    loss = DiceCELoss(softmax=True, to_onehot_y=True)
    for step in range(200):
        x, mask = blobs(8, (3.5, 5), 100 + step, 0.95)
        optimizer.zero_grad()
        loss(network(x), mask).backward()
        optimizer.step()
    _, failed = assessed(network, *blobs(6, (3.5, 5), 0, 0.95), tmp_path)
    assert failed == {}


@pytest.mark.slow
def test_a_network_trained_against_one_attack_alone_is_told(tmp_path: Path) -> None:
    network = trained_unet(400, towards_the_inverse_mask())
    picture, label = phantoms(range(1000, 1006))
    _, failed = assessed(network, picture / 255, label, tmp_path)
    assert set(failed) == {"attacks agree"}
    told = failed["attacks agree"]["meaning"]
    # it says what was seen: which of two reasons it has was not asked
    assert "paper leaves DIC" in told and "the network withstands this attack and not others" in told
