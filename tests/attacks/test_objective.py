# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

import pytest
import torch

from pipeline.attacks import AttackedNetwork, Sigmoid, inverse_mask, objective
from pipeline.losses import PixelCrossEntropy
from pipeline.utils import InputError


def test_inverse_mask() -> None:
    mask = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    assert torch.equal(inverse_mask(mask), torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]))
    assert inverse_mask(mask.to(torch.uint8)).tolist() == [[[[1, 0], [0, 1]]]]


@pytest.mark.parametrize("value", [0.5, 2.0, 255.0, -1.0, float("nan")])
def test_inverse_mask_of_other_values(value: float) -> None:
    message = (
        "inverse_mask: the mask must hold 0 and 1 only; the paper's target is defined for two classes. With more, "
        "give the attack no target."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        inverse_mask(torch.tensor([[[[0.0, 1.0, value]]]]))


def test_inverse_mask_of_truth_values() -> None:
    message = "inverse_mask: the mask must hold numbers, got torch.bool; convert it with .float()."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        inverse_mask(torch.tensor([[[[True, False]]]]))


def test_without_a_target_the_loss_of_the_true_mask_is_raised() -> None:
    logits, label = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 1, 4, 5)).float()
    loss = PixelCrossEntropy("sum")
    away = objective(AttackedNetwork(torch.nn.Identity()), label, loss, None)
    expected = logits.double().log_softmax(1).gather(1, label.long()).sum()
    assert away(logits).item() == pytest.approx(expected.item(), rel=1e-5)


def test_each_label_of_several_has_its_own_inverse() -> None:
    label = torch.randint(0, 2, (2, 3, 4, 5)).float()
    output = torch.randn(2, 3, 4, 5)
    classes = Sigmoid(3)
    towards = objective(
        AttackedNetwork(torch.nn.Identity(), classes=classes), label, PixelCrossEntropy("sum"), inverse_mask
    )
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        output.double(), 1 - label.double(), reduction="sum"
    )
    assert towards(classes.logits(output)).item() == pytest.approx(expected.item(), rel=1e-5)
