# SPDX-License-Identifier: Apache-2.0
"""CDNN, one of the compared networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.utils import InputError

from .color_channels import rgb_to_hsv_l

__all__ = ["CDNN"]


class CDNN(nn.Module):
    """Convolutional-deconvolutional network of 29 layers (Yuan, arXiv 1703.05165, winner of ISIC 2017).

    Three color spaces in (R, G, B, H, S, V, L*, each in [0, 1]), 16 to 512 channels down over four max-poolings, and
    back over four upsamplings, without skips; batch normalization and ReLU after each convolution, two of them 4×4,
    the others 3×3; dropout of 0.5 before the first convolution of the fourth level and before the last but one. With
    one output, the convolutions have 5,034,529 parameters, the paper's "about 5 million".

    The color spaces are computed inside, so that an attack acts on the RGB picture. The weights are kept channels-last,
    the faster layout on CPU and GPU.

    Deviations and readings:

    - logits of a softmax, two of them by default, where the paper has one sigmoid map, so that one loss and one attack
      serve all compared networks (``out_channels=1`` gives the count above);
    - the last convolution is batch-normalized as all others are, but not rectified;
    - "deconvolutions" are convolutions after a plain (nearest neighbor) upsampling, which here goes to the size that
      the map had before the pooling, so that any size of picture will do;
    - a picture of one channel counts as grey RGB, with hue and saturation 0;
    - weights start as torch's do;
    - the paper's bagging of six networks and its thresholds after the network are left out.

    Args:
        in_channels: 3 for RGB, or 1 for grey.
        out_channels: number of classes, the background included.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up.
        output: logits (B, out_channels, H, W), in both modes.

    Raises:
        InputError: if ``in_channels`` is neither 1 nor 3.

    Example:
        >>> CDNN(in_channels=3, out_channels=2).eval()(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(self, in_channels: int, out_channels: int = 2) -> None:
        super().__init__()
        if in_channels not in (1, 3):
            raise InputError(f"CDNN: in_channels must be 1 (grey) or 3 (RGB), got {in_channels}.")
        self.pool = nn.MaxPool2d(2)
        self.encoder = nn.ModuleList(
            [
                nn.Sequential(_layer(7, 16), _layer(16, 32)),
                nn.Sequential(_layer(32, 64), _layer(64, 64)),
                nn.Sequential(_layer(64, 128), _layer(128, 128, kernel_size=4)),
                nn.Sequential(nn.Dropout(0.5), _layer(128, 256), _layer(256, 256)),
            ]
        )
        self.bottleneck = nn.Sequential(_layer(256, 512), _layer(512, 256))
        self.decoder = nn.ModuleList(
            [
                nn.Sequential(_layer(256, 256), _layer(256, 128)),
                nn.Sequential(_layer(128, 128, kernel_size=4), _layer(128, 128)),
                nn.Sequential(_layer(128, 64), _layer(64, 32)),
                nn.Sequential(nn.Dropout(0.5), _layer(32, 16)),
            ]
        )
        self.head = nn.Sequential(nn.Conv2d(16, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # a grey picture has three equal channels
        x = rgb_to_hsv_l(x.expand(-1, 3, -1, -1))
        sizes: list[list[int]] = []
        for encode in self.encoder:
            x = encode(x)
            sizes.append(list(x.shape[2:]))
            x = self.pool(x)
        x = self.bottleneck(x)
        for step, decode in enumerate(self.decoder):
            x = decode(F.interpolate(x, size=sizes[-1 - step], mode="nearest"))
        return self.head(x)


def _layer(in_channels: int, out_channels: int, kernel_size: int = 3) -> nn.Sequential:
    # what padding="same" does, which warns of the copy
    padding = [nn.ZeroPad2d((0, 1, 0, 1))] if kernel_size == 4 else []
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=1)
    return nn.Sequential(*padding, convolution, nn.BatchNorm2d(out_channels), nn.ReLU())
