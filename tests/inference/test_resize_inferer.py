# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from monai.transforms import Resized
from torch import nn

from pipeline.inference import ResizeInferer
from pipeline.utils import InputError


def test_pictures_are_reduced_as_in_the_preprocessing() -> None:
    pictures = torch.rand(3, 2, 40, 24)
    found = ResizeInferer([16, 12])(pictures, nn.Identity())
    resize = Resized(keys="image", spatial_size=[16, 12], mode="bilinear", anti_aliasing=True)
    for picture, reduced in zip(pictures, found, strict=True):
        assert torch.equal(resize({"image": picture})["image"].as_tensor(), reduced)
    assert type(found) is torch.Tensor


def test_the_gradient_reaches_the_picture() -> None:
    inferer = ResizeInferer([6, 5])
    picture = torch.rand(1, 1, 17, 14, requires_grad=True)
    weights = torch.rand(1, 1, 6, 5)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return (inferer(x, nn.Identity()) * weights).double().sum()

    gradient = torch.autograd.grad(loss(picture), picture)[0]
    for row, column in ((0, 0), (8, 7), (16, 13)):
        shift = torch.zeros_like(picture)
        shift[0, 0, row, column] = 0.1  # linear: a large step has no other error than rounding
        slope = (loss(picture + shift) - loss(picture - shift)) / 0.2
        assert torch.allclose(gradient[0, 0, row, column].double(), slope, atol=1e-5)


def test_a_picture_of_the_networks_size_has_no_original_resolution() -> None:
    with pytest.raises(InputError, match=r"^ResizeInferer: the pictures have the network's size \(6, 5\) already;"):
        ResizeInferer([6, 5])(torch.rand(1, 1, 6, 5), nn.Identity())
