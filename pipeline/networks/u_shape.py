# SPDX-License-Identifier: Apache-2.0
"""The shape that U-Net and InvertedNet share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.blocks import Convolution
from torch import nn

from .image_normalization import ImageNormalization

__all__ = ["UShape"]


class UShape(nn.Module):
    """What ``UNet`` and ``InvertedNet`` share: five levels of two 3×3 convolutions, joined by skips.

    Each level but the last is pooled; on the way up the map is upsampled (nearest neighbor, without weights) to the
    size of its skip and concatenated with it. A 1×1 convolution makes the logits. Convolutions start from He's normal
    distribution with biases 0, without which networks of this depth and no batch normalization hardly train.

    The network normalizes inside (``ImageNormalization``), so that an attack acts on the picture itself. Its weights
    are kept channels-last, the faster layout on CPU and GPU.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes, the background included.
        widths: channels of the five levels, the finest first.
        delayed_subsampling: whether to pool with stride 1 and leave the stride of 2 to the next level's first
            convolution. Either way a map of H × W becomes one of ⌊H/2⌋ × ⌊W/2⌋.
        **convolution: of all 3×3 convolutions, for ``monai.networks.blocks.Convolution``.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up.
        output: logits (B, out_channels, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        delayed_subsampling: bool,
        **convolution: Any,
    ) -> None:
        super().__init__()

        def level(into: int, out: int, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(
                Convolution(2, into, out, strides=stride, norm=None, **convolution),
                Convolution(2, out, out, norm=None, **convolution),
            )

        self.normalization = ImageNormalization(in_channels)
        self.pool = nn.MaxPool2d(2, stride=1 if delayed_subsampling else 2)
        stride = 2 if delayed_subsampling else 1
        finest, *deeper, deepest = widths
        self.encoder = nn.ModuleList([level(in_channels, finest)])
        self.encoder.extend(level(above, out, stride) for above, out in zip(widths, deeper, strict=False))
        self.bottleneck = level(deeper[-1], deepest, stride)
        upwards = list(reversed(widths))
        self.decoder = nn.ModuleList(
            level(below + skip, skip) for below, skip in zip(upwards, upwards[1:], strict=False)
        )
        self.head = nn.Conv2d(finest, out_channels, kernel_size=1)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.normalization(x)
        skips: list[torch.Tensor] = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for step, decode in enumerate(self.decoder):
            skip = skips[-1 - step]
            x = decode(torch.cat([F.interpolate(x, size=skip.shape[2:], mode="nearest"), skip], dim=1))
        return self.head(x)
