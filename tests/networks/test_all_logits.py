# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

import pytest
import torch

from pipeline.networks import NLCEN, AllLogits, UNet
from pipeline.utils import InputError


def test_all_predictions_in_either_mode_with_a_gradient() -> None:
    network = NLCEN(1).eval()
    x = torch.rand(2, 1, 32, 40, requires_grad=True)
    predictions = AllLogits(network)(x)
    assert [tuple(logits.shape) for logits in predictions] == [(2, 2, 32, 40)] * 5
    assert torch.equal(predictions[0], network(x))
    for logits in predictions:
        assert torch.autograd.grad(logits.sum(), x, retain_graph=True)[0].abs().max() > 0


def test_a_network_with_one_prediction() -> None:
    message = "AllLogits: UNet has one prediction only; attack the network itself."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        AllLogits(UNet(1))
