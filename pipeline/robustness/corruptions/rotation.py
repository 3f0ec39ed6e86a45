# SPDX-License-Identifier: Apache-2.0
"""Rotation of picture and mask, in the plane of the first two spatial axes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import rotate

__all__ = ["rotate_label", "rotate_picture"]


def rotate_picture(picture: np.ndarray, degrees: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture rotated about its middle, linearly interpolated, its border repeated."""
    return rotate(picture, degrees, axes=(2, 1), reshape=False, order=1, mode="nearest")


def rotate_label(label: np.ndarray, degrees: float) -> np.ndarray:
    """Return the mask rotated likewise, without interpolation; its border is repeated as that of the picture is."""
    return rotate(label, degrees, axes=(2, 1), reshape=False, order=0, mode="nearest")
