# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.utils import InputError

__all__ = ["CDNN", "rgb_to_hsv_l"]


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


def rgb_to_hsv_l(rgb: torch.Tensor) -> torch.Tensor:
    """Add hue, saturation, value and lightness to an RGB picture, differentiably.

    H, S and V are the hexcone model's (Smith 1978), H as a part of the circle; L is CIELAB's L* / 100 of sRGB under
    D65. All are in [0, 1] and equal scikit-image's.

    Where the largest and the smallest of R, G, B differ by at most 1e-6 the pixel is grey, black or white: H = S = 0,
    and the gradients of H and S are 0 there, although neither has one (H is not even continuous; nor is it at red,
    where it jumps from 1 to 0 and the slope is that of either side). Where only two channels tie for the largest or
    smallest, the gradient of V and S shares the slope between them, and that of H is a one-sided one. Elsewhere all
    gradients are exact, and always finite: at most 10⁶. Values beyond [0, 1] count as 0 or 1 in H, S, V and L.

    Args:
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (B, 7, H, W): R, G, B as given, then H, S, V, L.
    """
    r, g, b = rgb.clamp(0.0, 1.0).unbind(1)
    stacked = torch.stack([r, g, b])
    value = stacked.amax(0)
    chroma = value - stacked.amin(0)
    # below, the hue would be one of rounding errors, and its slope unbounded
    colored = chroma > 1e-6
    # the divisor of grey pixels is 1, so that no branch, taken or not, has an infinite slope
    divisor = torch.where(colored, chroma, 1.0)
    sextant = torch.where(g == value, 2.0 + (b - r) / divisor, 4.0 + (r - g) / divisor)
    sextant = torch.where(r == value, (g - b) / divisor, sextant)
    hue = torch.where(colored, torch.remainder(sextant / 6.0, 1.0), 0.0)
    saturation = torch.where(colored, chroma / torch.where(colored, value, 1.0), 0.0)
    return torch.cat([rgb, torch.stack([hue, saturation, value, _lightness(r, g, b)], dim=1)], dim=1)


def _lightness(r: torch.Tensor, g: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """CIELAB's L* / 100 of sRGB."""
    luminance = 0.212671 * _linear(r) + 0.715160 * _linear(g) + 0.072169 * _linear(b)
    # the root's slope is infinite at 0, which belongs to the other branch
    root = luminance.clamp(min=0.008856) ** (1.0 / 3.0)
    return torch.where(luminance > 0.008856, 1.16 * root - 0.16, 9.03292 * luminance)


def _linear(channel: torch.Tensor) -> torch.Tensor:
    """Undo sRGB's gamma."""
    return torch.where(channel > 0.04045, ((channel + 0.055) / 1.055) ** 2.4, channel / 12.92)
