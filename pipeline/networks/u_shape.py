# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.blocks import Convolution
from torch import nn

from .image_normalization import ImageNormalization

__all__ = ["InvertedNet", "UNet", "UShape"]


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


class UNet(UShape):
    """U-Net (Ronneberger, Fischer and Brox, MICCAI 2015, Figure 1), in the form of Novikov et al., IEEE TMI 2018.

    Five levels of 64, 128, 256, 512 and 1024 channels with two 3×3 convolutions and ReLU each, 2×2 max-pooling, no
    batch normalization, He's normal start (all Ronneberger's).

    Deviations from Ronneberger et al., the first two Novikov's, whose 31,377,988 parameters (1 channel, 4 classes)
    these are:

    - padded ("same") convolutions, so that the prediction is as large as the picture and no skip is cropped;
    - the upsampling is plain, without the 2×2 "up-convolution" that halves the channels;
    - no dropout at the end of the contracting path, whose rate the paper does not give;
    - the picture is normalized inside the network.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes, the background included.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up.
        output: logits (B, out_channels, H, W), in both modes.
    """

    def __init__(self, in_channels: int, out_channels: int = 2) -> None:
        super().__init__(in_channels, out_channels, (64, 128, 256, 512, 1024), delayed_subsampling=False, act="relu")


class InvertedNet(UShape):
    """InvertedNet (Novikov et al., IEEE TMI 2018, "Fully Convolutional Architectures for … Chest Radiographs").

    A U-Net turned around: 256 channels at full size, halved at each of the five levels down to 16 (3,140,771 parameters
    with 1 channel and 3 classes). ELU, dropout after every activation, and delayed subsampling: the max-poolings have
    stride 1, and the first convolution of the next level has stride 2 instead.

    Deviations and readings:

    - dropout of 0.1, the rate of the public re-implementations; the paper's could not be looked up;
    - the stride-1 pooling is not padded: the map loses one row and column there, and the stride of 2 then makes
      ⌊H/2⌋ of H as a pooling with stride 2 would, at any size;
    - He's normal start; logits of a softmax with the background as a class of its own, where the paper has a sigmoid
      map for each organ;
    - the picture is normalized inside the network, with ImageNet's grey mean and deviation in place of the set's.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes, the background included.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up.
        output: logits (B, out_channels, H, W), in both modes.
    """

    def __init__(self, in_channels: int, out_channels: int = 2) -> None:
        super().__init__(
            in_channels,
            out_channels,
            (256, 128, 64, 32, 16),
            delayed_subsampling=True,
            adn_ordering="AD",
            act="elu",
            dropout=0.1,
        )
