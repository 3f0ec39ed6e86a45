# SPDX-License-Identifier: Apache-2.0

"""MONAI's losses, set as the compared networks' recipes set them, are the formulas of their papers."""

from __future__ import annotations

import math

import pytest
import torch
from monai.losses import DiceLoss

LOGITS = 3 * torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABEL = torch.rand(3, 1, 5, 7, generator=torch.Generator().manual_seed(1)).gt(0.6).double()


def sums(picture: int) -> tuple[float, float, float, float]:
    """Σ t·p, Σ p, Σ p², Σ t of one picture, p the foreground's probability and t ∈ {0, 1} its label (t² = t)."""
    both = predicted = squared = labeled = 0.0
    for row in range(5):
        for column in range(7):
            background, foreground = (math.exp(LOGITS[picture, c, row, column].item()) for c in (0, 1))
            p = foreground / (background + foreground)
            t = LABEL[picture, 0, row, column].item()
            both, predicted, squared, labeled = both + t * p, predicted + p, squared + p * p, labeled + t
    return both, predicted, squared, labeled


def jaccard_distance(picture: int) -> float:
    """Yuan 2017: 1 − Σ tp / (Σ t² + Σ p² − Σ tp)."""
    both, _, squared, labeled = sums(picture)
    return 1 - both / (labeled + squared - both)


def dice_distance(picture: int) -> float:
    """Novikov et al. 2018, for one organ: 1 − 2 Σ tp / (Σ t + Σ p)."""
    both, predicted, _, labeled = sums(picture)
    return 1 - 2 * both / (labeled + predicted)


COMMON = {"include_background": False, "to_onehot_y": True, "softmax": True, "smooth_nr": 0.0, "smooth_dr": 1e-5}
CDNN = {"jaccard": True, "squared_pred": True}
INVERTEDNET: dict[str, bool] = {}


@pytest.mark.parametrize("settings, formula", [(CDNN, jaccard_distance), (INVERTEDNET, dice_distance)])
def test_is_the_mean_over_pictures_of_the_papers_formula(settings, formula) -> None:
    expected = sum(formula(picture) for picture in range(3)) / 3
    # within 1e-6: smooth_dr, and MONAI's labels are float32
    assert DiceLoss(**COMMON, **settings)(LOGITS, LABEL).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("settings", [CDNN, INVERTEDNET])
def test_an_empty_label_has_a_finite_gradient(settings) -> None:
    """Why ``smooth_dr`` is not 0: a confident background would otherwise be 0 / 0 in float32."""
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 0] = 200.0
    logits.requires_grad_()
    value = DiceLoss(**COMMON, **settings)(logits, torch.zeros(1, 1, 4, 4))
    assert value.item() == 1.0
    assert torch.autograd.grad(value, logits)[0].isfinite().all()
