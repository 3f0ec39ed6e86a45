# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import re

import pytest
import torch
from monai.losses import DeepSupervisionLoss

from pipeline.losses import PixelCrossEntropy


def by_hand(logits: torch.Tensor, label: torch.Tensor) -> list[float]:
    """−log p of each pixel's label (equation 4), in plain loops over the flattened pixels."""
    losses = []
    for image, mask in zip(logits.double().flatten(2), label.flatten(1), strict=True):
        for pixel, truth in zip(image.t().tolist(), mask.tolist(), strict=True):
            losses.append(math.log(sum(math.exp(value) for value in pixel)) - pixel[int(truth)])
    return losses


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int64, torch.bool])
@pytest.mark.parametrize("shape", [(2, 2, 5, 7), (1, 2, 1, 1), (2, 2, 3, 2, 4)])
def test_equals_the_loops(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape, generator=generator)
    label = torch.randint(0, 2, (shape[0], 1, *shape[2:]), generator=generator).to(dtype)
    expected = by_hand(logits, label)
    assert PixelCrossEntropy("sum")(logits, label).item() == pytest.approx(sum(expected), rel=1e-5)
    assert PixelCrossEntropy()(logits, label).item() == pytest.approx(sum(expected) / len(expected), rel=1e-5)
    each = PixelCrossEntropy("none")(logits, label)
    assert each.shape == (shape[0], *shape[2:])
    assert each.flatten().tolist() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_several_classes() -> None:
    logits, label = torch.randn(1, 4, 3, 3), torch.randint(0, 4, (1, 1, 3, 3))
    assert PixelCrossEntropy("sum")(logits, label).item() == pytest.approx(sum(by_hand(logits, label)), rel=1e-5)


def test_deep_supervision_with_a_quarter_each_is_equation_5() -> None:
    """L = 1/4 Σ_i L_g^i + λ L_r with λ = 0.25."""
    refined, *coarse = (torch.randn(2, 2, 4, 6) for _ in range(5))
    label = torch.randint(0, 2, (2, 1, 4, 6)).float()
    loss = DeepSupervisionLoss(PixelCrossEntropy("sum"), weights=[0.25] * 5)
    expected = sum(sum(by_hand(logits, label)) for logits in coarse) / 4 + 0.25 * sum(by_hand(refined, label))
    assert loss([refined, *coarse], label).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(2, 4, 6), (2, 2, 4, 6), (2, 1, 4, 5), (1, 1, 4, 6)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    message = f"PixelCrossEntropy: target must have shape (2, 1, 4, 6), got {shape}."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        PixelCrossEntropy()(torch.zeros(2, 2, 4, 6), torch.zeros(shape))
