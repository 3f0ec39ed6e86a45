# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

import pytest
import torch

from pipeline.networks.image_normalization import ImageNormalization
from pipeline.utils import InputError


@pytest.mark.parametrize(
    "channels, mean, std",
    [
        (3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (1, (0.449,), (0.226,)),
        (2, (0.449, 0.449), (0.226, 0.226)),
    ],
)
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_imagenets_mean_and_deviation_by_default(
    channels: int, mean: tuple[float, ...], std: tuple[float, ...], spatial_dims: int
) -> None:
    x = torch.rand(2, channels, *(4, 5, 6)[:spatial_dims])
    expected = torch.stack([(x[:, c] - mean[c]) / std[c] for c in range(channels)], dim=1)
    assert torch.allclose(ImageNormalization(channels, spatial_dims=spatial_dims)(x), expected, atol=1e-6)


def test_given_mean_and_deviation() -> None:
    x = torch.rand(1, 2, 3, 3)
    made = ImageNormalization(2, image_mean=[0.5, 0.0], image_std=[0.25, 2.0])(x)
    assert torch.equal(made[0, 0], (x[0, 0] - 0.5) / 0.25)
    assert torch.equal(made[0, 1], x[0, 1] / 2)


def test_is_saved_and_not_trained() -> None:
    normalization = ImageNormalization(1, image_mean=[0.3], image_std=[0.2])
    assert list(normalization.state_dict()) == ["mean", "std"]
    assert not list(normalization.parameters())
    copy = ImageNormalization(1)
    copy.load_state_dict(normalization.state_dict())
    assert copy(torch.full((1, 1, 1, 1), 0.5)).item() == pytest.approx(1.0)


def test_the_gradient_is_one_over_the_deviation() -> None:
    x = torch.rand(1, 3, 2, 2, requires_grad=True)
    ImageNormalization(3)(x).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad[0, :, 1, 1], 1 / torch.tensor([0.229, 0.224, 0.225]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_mean": [0.1, 0.2]}, "image_mean needs 1 values, one per channel, got 2."),
        ({"image_std": []}, "image_std needs 1 values, one per channel, got 0."),
    ],
)
def test_bad_arguments(arguments: dict[str, list[float]], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        ImageNormalization(1, **arguments)
