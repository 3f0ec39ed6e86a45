# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from pipeline.losses import (
    BalancedMaskedCrossEntropy,
    CosPGDLoss,
    GrowLoss,
    JensenShannon,
    Margin,
    MaskedCrossEntropy,
    SegPGDSchedule,
    ShrinkLoss,
    Tsallis,
    TsallisSweep,
)

Formula = Callable[[list[float], int], float]


def softmax(pixel: list[float]) -> list[float]:
    total = sum(math.exp(value) for value in pixel)
    return [math.exp(value) / total for value in pixel]


def entropy(pixel: list[float], label: int) -> float:
    return -math.log(softmax(pixel)[label])


def margin(pixel: list[float], label: int) -> float:
    return max(value for index, value in enumerate(pixel) if index != label) - pixel[label]


def divergence(pixel: list[float], label: int) -> float:
    """Jensen-Shannon, by its definition."""
    p, g = softmax(pixel), [float(index == label) for index in range(len(pixel))]
    middle = [(a + b) / 2 for a, b in zip(p, g, strict=True)]

    def kullback(first: list[float]) -> float:
        return sum(a * math.log(a / m) for a, m in zip(first, middle, strict=True) if a > 0)

    return (kullback(p) + kullback(g)) / 2


def cosine(pixel: list[float], label: int) -> float:
    p = softmax(pixel)
    return p[label] / math.sqrt(sum(value**2 for value in p))


def is_right(pixel: list[float], label: int) -> bool:
    return margin(pixel, label) < 0


FORMULAS: list[tuple[nn.Module, Formula]] = [
    (Margin(), margin),
    (MaskedCrossEntropy(), lambda z, y: entropy(z, y) if is_right(z, y) else 0.0),
    (JensenShannon(), divergence),
    (TsallisSweep().at(1.0), entropy),
    (TsallisSweep().at(0.0), lambda z, y: (1 - softmax(z)[y] ** 3) / 3),
    (TsallisSweep().at(0.5), lambda z, y: (1 - softmax(z)[y] ** 1.5) / 1.5),
    (SegPGDSchedule().at(0.4), lambda z, y: entropy(z, y) * (0.8 if is_right(z, y) else 0.2)),
    (SegPGDSchedule().at(0.0), lambda z, y: entropy(z, y) if is_right(z, y) else 0.0),
    (CosPGDLoss(), lambda z, y: entropy(z, y) * cosine(z, y)),
    (ShrinkLoss(), lambda z, y: margin(z, y) if y > 0 else 0.0),
    (GrowLoss(), lambda z, y: margin(z, y) if y == 0 else 0.0),
]


@pytest.mark.parametrize("shape", [(2, 2, 5, 7), (1, 4, 3, 3), (2, 3, 3, 2, 4)])
@pytest.mark.parametrize(("loss", "formula"), FORMULAS, ids=lambda value: type(value).__name__)
def test_equals_its_formula_on_every_pixel(loss: nn.Module, formula: Formula, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape, generator=generator)
    label = torch.randint(0, shape[1], (shape[0], 1, *shape[2:]), generator=generator).float()
    pixels = logits.double().movedim(1, -1).flatten(0, -2).tolist()
    expected = sum(formula(pixel, int(truth)) for pixel, truth in zip(pixels, label.flatten().tolist(), strict=True))
    values = loss(logits, label)
    assert values.shape == shape[:1]
    assert values.sum().item() == pytest.approx(expected, rel=1e-5)


# of two classes, by p = σ(m), the true class's probability: how much a pixel pulls
PULLS: list[tuple[nn.Module, Callable[[float], float]]] = [
    (Margin(), lambda p: 1),
    (MaskedCrossEntropy(), lambda p: (1 - p) * (p > 0.5)),
    (JensenShannon(), lambda p: p * (1 - p) * math.log((1 + p) / p) / 2),
    (TsallisSweep().at(0.0), lambda p: p**3 * (1 - p)),
    (TsallisSweep().at(1.0), lambda p: 1 - p),
    (SegPGDSchedule().at(1.0), lambda p: (1 - p) / 2),
    (CosPGDLoss(), lambda p: (1 - p) * p / math.sqrt(p**2 + (1 - p) ** 2)),
]


@pytest.mark.parametrize(("loss", "pull"), PULLS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("m", [-30.0, -2.0, -0.1, 0.3, 4.0, 30.0])
def test_a_pixel_pulls_by_its_margin(loss: nn.Module, pull: Callable[[float], float], m: float) -> None:
    logits = torch.tensor([0.0, m], dtype=torch.float64).view(1, 2, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, torch.ones(1, 1, 1)), logits)
    p = 1 / (1 + math.exp(-m))
    assert -gradient[0, 1, 0].item() == pytest.approx(pull(p), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("loss", [loss for loss, _ in FORMULAS], ids=lambda loss: type(loss).__name__)
def test_gradients_of_very_sure_pixels_are_finite(loss: nn.Module) -> None:
    logits = torch.tensor([[[0.0, 0.0, 0.0], [300.0, -300.0, 0.0]]]).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, torch.ones(1, 1, 3)), logits)
    assert torch.isfinite(gradient).all()


def test_every_class_of_an_image_weighs_as_much_as_another() -> None:
    # three pixels of class 0, one of class 2, none of class 1; all right and equally sure
    label = torch.tensor([0, 0, 0, 2]).view(1, 1, 4)
    logits = 2 * torch.nn.functional.one_hot(label[:, 0], 3).movedim(-1, 1).float()
    each = entropy([2.0, 0.0, 0.0], 0)
    pixels = BalancedMaskedCrossEntropy().of_pixels(logits, label[:, 0])
    assert pixels.flatten().tolist() == pytest.approx([each * 2 / 3] * 3 + [each * 2], rel=1e-5)
    # and no image's weights depend on the others
    both = BalancedMaskedCrossEntropy().of_pixels(logits.repeat(2, 1, 1), torch.cat([label, 0 * label])[:, 0])
    assert both[0].tolist() == pytest.approx(pixels[0].tolist())


@pytest.mark.parametrize("loss", [Margin(), Tsallis(0), CosPGDLoss()], ids=lambda loss: type(loss).__name__)
def test_another_shape_is_refused(loss: nn.Module) -> None:
    with pytest.raises(ValueError, match=rf"^{type(loss).__name__}: target must have shape \(2, 1, 4, 6\), got"):
        loss(torch.zeros(2, 2, 4, 6), torch.zeros(2, 4, 6))
