# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from pipeline.transforms import CheckLogitsd
from pipeline.utils import InputError


def test_logits_pass_as_they_are() -> None:
    data = {"pred": MetaTensor(torch.randn(2, 4, 5)), "image": torch.zeros(3, 4, 5), "name": "a"}
    checked = CheckLogitsd("pred", "image")(data)
    assert checked == data and checked["pred"] is data["pred"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.zeros(1, 4, 5), "'pred': the network must give .*, but gives a tensor of shape (1, 1, 4, 5) and type "),
        (torch.zeros(2, 5, 4), "'pred': the network must give .*, but gives a tensor of shape (1, 2, 5, 4) and type "),
        (
            [torch.zeros(2, 4, 5)],
            "'pred': the network must give .*, but gives a list of 1, the first being a tensor of ",
        ),
        (torch.full((2, 4, 5), torch.nan), "'pred': the network gives logits that are not finite;.*"),
    ],
    ids=["one_channel", "size", "list", "nan"],
)
def test_what_would_become_an_empty_mask_is_refused(output: object, message: str) -> None:
    pattern = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(InputError, match=f"^{pattern}"):
        CheckLogitsd("pred", "image")({"pred": output, "image": torch.zeros(1, 4, 5)})
