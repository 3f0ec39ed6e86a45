# SPDX-License-Identifier: Apache-2.0
"""Normalization of images inside a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from pipeline.utils import InputError

__all__ = ["ImageNormalization"]

RGB_MEAN, RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ImageNormalization(nn.Module):
    """(x − mean) / std of each channel, as a network's first layer, so that an attack acts on the picture itself.

    Mean and deviation belong to the state dict and are not trained.

    Args:
        in_channels: channels of the image.
        image_mean: mean of each channel, for images in [0, 1]. Defaults to ImageNet's (so that ImageNet weights see
            what they were trained on), and to their mean over RGB where there are not 3 channels.
        image_std: standard deviation of each channel, likewise.
        spatial_dims: of the image.

    Shape:
        input and output: (B, in_channels, *spatial).

    Raises:
        InputError: if the number of means or deviations is not ``in_channels``.
    """

    if TYPE_CHECKING:  # TorchScript cannot read an annotation of a buffer
        mean: torch.Tensor
        std: torch.Tensor

    def __init__(
        self,
        in_channels: int,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        spatial_dims: int = 2,
    ) -> None:
        super().__init__()
        for name, given, rgb in (("mean", image_mean, RGB_MEAN), ("std", image_std, RGB_STD)):
            default = rgb if in_channels == 3 else (sum(rgb) / 3,) * in_channels
            values = default if given is None else tuple(given)
            if len(values) != in_channels:
                raise InputError(f"image_{name} needs {in_channels} values, one per channel, got {len(values)}.")
            self.register_buffer(name, torch.tensor(values).view(1, in_channels, *(1,) * spatial_dims))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.std
