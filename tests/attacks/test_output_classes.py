# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.attacks import Sigmoid, Softmax


@pytest.mark.parametrize("shape", [(3, 2, 17, 19), (2, 5, 9, 7, 8), (4, 3, 6)], ids=["two", "volumes", "line"])
def test_the_first_class_of_the_greatest_logit_is_decided_for(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    logits = torch.randint(-2, 3, shape).float()  # many are equal
    expected = torch.from_numpy(np.expand_dims(logits.numpy().argmax(1), 1))
    assert torch.equal(Softmax(shape[1]).decide(logits), expected)
    if len(shape) == 4:
        assert torch.equal(Softmax(shape[1]).decide(logits.to(memory_format=torch.channels_last)), expected)


def test_labels_of_a_sigmoid_are_decided_for_one_by_one() -> None:
    logits = torch.tensor([[[0.1, -0.1, 0.0], [2.0, 3.0, -4.0]]])
    assert Sigmoid(2).decide(logits).tolist() == [[[1, 0, 0], [1, 1, 0]]]
