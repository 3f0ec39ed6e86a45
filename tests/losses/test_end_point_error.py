# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import filters

from pipeline.losses import CrossEntropyEndPointError, EndPointError


def make(shape: tuple[int, int, int] = (2, 9, 7)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    batch, height, width = shape
    logits = 2 * torch.randn(batch, 2, height, width, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, 2, (batch, 1, height, width), generator=generator)


def loops(logits: torch.Tensor, target: torch.Tensor) -> float:
    """The formula, pixel by pixel, with Sobel's 3×3 weights and border pixels repeated outwards."""
    weights = [(-1, 0.25), (0, 0.5), (1, 0.25)]
    total, (count, _, height, width) = 0.0, logits.shape
    for b in range(count):
        z, g = logits[b].numpy(), target[b, 0].numpy()
        p = 1 / (1 + np.exp(z[0] - z[1]))

        def at(field, row: int, column: int, height: int = height, width: int = width) -> float:
            return float(field[min(max(row, 0), height - 1), min(max(column, 0), width - 1)])

        for r in range(height):
            for c in range(width):
                square = 1e-12
                for across in (False, True):
                    slopes = []
                    for field in (p, g):
                        slope = 0.0
                        for k, w in weights:
                            ahead, behind = (
                                ((r + k, c + 1), (r + k, c - 1)) if across else ((r + 1, c + k), (r - 1, c + k))
                            )
                            slope += w * (at(field, *ahead) - at(field, *behind))
                        slopes.append(slope)
                    square += (slopes[0] - slopes[1]) ** 2
                total += square**0.5
    return total / (count * height * width)


def with_library(logits: torch.Tensor, target: torch.Tensor, library: str) -> float:
    errors = []
    for z, g in zip(logits.numpy(), target.numpy()[:, 0].astype(float), strict=True):
        p = np.exp(z[1]) / np.exp(z).sum(0)
        if library == "scipy":
            # its weights sum to 4
            slopes = [(ndimage.sobel(p, axis) - ndimage.sobel(g, axis)) / 4 for axis in (0, 1)]
        else:
            slopes = [filters.sobel(p, axis=axis) - filters.sobel(g, axis=axis) for axis in (0, 1)]
        errors.append(np.sqrt(slopes[0] ** 2 + slopes[1] ** 2 + 1e-12))
    return float(np.mean(errors))


@pytest.mark.parametrize("shape", [(2, 9, 7), (1, 5, 12), (3, 1, 4), (1, 1, 1)])
def test_equals_the_formula(shape: tuple[int, int, int]) -> None:
    logits, target = make(shape)
    assert EndPointError()(logits, target).item() == pytest.approx(loops(logits, target), rel=1e-12)


@pytest.mark.parametrize("library", ["scipy", "skimage"])
def test_equals_the_libraries(library: str) -> None:
    logits, target = make((3, 20, 31))
    assert EndPointError()(logits, target).item() == pytest.approx(with_library(logits, target, library), rel=1e-12)


def test_the_gradient_is_the_finite_difference() -> None:
    logits, target = make()
    assert torch.autograd.gradcheck(lambda z: EndPointError()(z, target), (logits.requires_grad_(),))
    assert torch.autograd.gradcheck(lambda z: CrossEntropyEndPointError()(z, target), (logits,))


def test_a_perfect_prediction_costs_nothing_and_has_a_finite_gradient() -> None:
    _, target = make()
    logits = (torch.cat([1 - target, target], dim=1).float() * 1000).requires_grad_()
    loss = EndPointError()(logits, target)
    loss.backward()
    assert loss.item() == pytest.approx(1e-6, rel=1e-3)
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_a_straight_edge_a_pixel_aside_costs_its_length() -> None:
    """Sobel's derivative of a step is 1 on both sides of it; moved by one pixel, the columns differ by 1, 0 and 1."""
    target = torch.zeros(1, 1, 8, 10)
    target[..., 5:] = 1
    logits = torch.zeros(1, 2, 8, 10)
    logits[:, 1, :, 4:] = 1000
    logits[:, 0, :, :4] = 1000
    assert EndPointError()(logits, target).item() == pytest.approx(2 * 8 / 80, abs=1e-5)


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_the_sum_with_the_cross_entropy(weight: float) -> None:
    logits, target = make()
    logp = logits.log_softmax(1)
    nll = -logp.gather(1, target).mean().item()
    expected = nll + weight * loops(logits, target)
    assert CrossEntropyEndPointError(weight)(logits, target.float()).item() == pytest.approx(expected, rel=1e-12)
    assert CrossEntropyEndPointError().weight == 0.5


@pytest.mark.parametrize(
    "input_shape, target_shape, message",
    [
        ((2, 3, 4, 5), (2, 1, 4, 5), "EndPointError: input must have shape (B, 2, H, W), got (2, 3, 4, 5)."),
        ((2, 2, 4), (2, 1, 4), "EndPointError: input must have shape (B, 2, H, W), got (2, 2, 4)."),
        ((2, 2, 4, 5), (2, 4, 5), "EndPointError: target must have shape (2, 1, 4, 5), got (2, 4, 5)."),
        ((2, 2, 4, 5), (1, 1, 4, 5), "EndPointError: target must have shape (2, 1, 4, 5), got (1, 1, 4, 5)."),
    ],
)
def test_wrong_shapes(input_shape: tuple[int, ...], target_shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        EndPointError()(torch.zeros(input_shape), torch.zeros(target_shape))
