# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.attacks import AttackedNetwork, Sigmoid
from pipeline.robustness.corruptions import CORRUPTIONS, corrupted_scores


class Brighter(nn.Module):
    """Finds what is brighter than half of the range, and counts its forward passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return images - 0.5


def test_each_image_has_the_scores_of_its_corrupted_picture_against_its_moved_mask() -> None:
    label = torch.zeros(2, 1, 32, 32)
    label[0, :, 5:12, 9:28] = label[1, :, 10:20, 2:9] = 1
    picture = 60 + 90 * label
    network = Brighter()
    rows = corrupted_scores(AttackedNetwork(network, classes=Sigmoid()), picture, label, ["a", "b"])
    assert len(rows) == 2 * 5 * len(CORRUPTIONS)
    assert network.passes == 5 * len(CORRUPTIONS)
    corruptions = {corruption.name: corruption for corruption in CORRUPTIONS}
    for row in rows:
        k = ["a", "b"].index(row["image"])
        corrupted, moved = corruptions[row["corruption"]](picture[k], label[k], row["severity"])
        found, true = corrupted > 127.5, moved > 0
        common, union = (found & true).sum(), (found | true).sum()
        assert row["DIC"] == pytest.approx((2 * common / (common + union)).item(), abs=1e-6)
        assert row["JSC"] == pytest.approx((common / union).item(), abs=1e-6)
    by_severity = [row["DIC"] for row in rows if row["corruption"] == "gaussian noise" and row["image"] == "a"]
    assert by_severity[0] > 0.9 and by_severity == sorted(by_severity, reverse=True)
    assert min(row["DIC"] for row in rows if row["corruption"] == "rotation") > 0.8


def test_volumes_go_without_jpeg() -> None:
    label = torch.ones(1, 1, 8, 8, 4)
    rows = corrupted_scores(AttackedNetwork(Brighter(), classes=Sigmoid()), 200 * label, label, ["a"])
    assert {row["corruption"] for row in rows} == {each.name for each in CORRUPTIONS} - {"JPEG"}
