# SPDX-License-Identifier: Apache-2.0
"""The color spaces that CDNN sees."""

from __future__ import annotations

import torch

__all__ = ["rgb_to_hsv_l"]


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
