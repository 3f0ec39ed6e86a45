# SPDX-License-Identifier: Apache-2.0
"""Blur, and a lower resolution."""

from __future__ import annotations

import numpy as np
import torch
from skimage.filters import gaussian
from torch.nn.functional import interpolate

__all__ = ["blur", "low_resolution"]

LINEAR = {2: "bilinear", 3: "trilinear"}


def blur(picture: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture smoothed with a Gaussian of σ pixels, its border repeated."""
    return gaussian(picture, sigma, mode="nearest", preserve_range=True, channel_axis=0)


def low_resolution(picture: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture made smaller by a factor, averaging areas, and linearly interpolated back to its size."""
    size = picture.shape[1:]
    small = [max(1, int(length * factor)) for length in size]
    fewer = interpolate(torch.as_tensor(picture)[None], small, mode="area")
    return interpolate(fewer, size, mode=LINEAR[len(size)])[0].numpy()
