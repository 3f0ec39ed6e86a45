# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.metrics import class_dic, dic_jsc


def by_hand(prediction: np.ndarray, label: np.ndarray) -> float:
    total = prediction.sum() + label.sum()
    return float(2 * (prediction & label).sum() / total) if total else 1.0


@pytest.mark.parametrize("size", [(9, 12), (5, 6, 7)])
def test_each_class_has_its_own_and_their_mean_is_dic(size: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    prediction, label = (random.random((3, 4, *size)) < 0.3 for _ in range(2))
    label[0, 0] = prediction[0, 1] = label[1, 2] = prediction[1, 2] = False
    found = class_dic(torch.from_numpy(prediction), torch.from_numpy(label))
    expected = [[by_hand(*pair) for pair in zip(*image, strict=True)] for image in zip(prediction, label, strict=True)]
    assert expected[0][:2] == [0, 0] and expected[1][2] == 1
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    means = dic_jsc(torch.from_numpy(prediction), torch.from_numpy(label))[:, 0]
    np.testing.assert_allclose(means.numpy(), np.mean(expected, 1), atol=1e-6)
