# SPDX-License-Identifier: Apache-2.0
"""Resizing as the bundles do it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from monai.transforms import Resize

__all__ = ["resize_mask", "resize_picture"]


def resize_picture(pixels: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.uint8]:
    """Resize a picture to ``size`` × ``size`` as the bundles do: smoothed against aliasing, then bilinear.

    This is :py:class:`monai.transforms.Resize` up to the rounding to 8 bits, and much faster for large pictures.

    Args:
        pixels: (3, rows, columns) in [0, 1].
        size: rows and columns of the result.

    Returns:
        (size, size, 3).
    """
    rows, columns = pixels.shape[1:]
    small = _resizing(rows, size) @ pixels @ _resizing(columns, size).T
    return np.ascontiguousarray(np.round(small * 255).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def resize_mask(mask: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.uint8]:
    """Resize a mask as the bundles do: 255 where at least half of a pixel's area is foreground.

    Args:
        mask: (1, rows, columns) of 0 and 1.
        size: rows and columns of the result.

    Returns:
        (size, size) of 0 and 255.
    """
    small = Resize((size, size), mode="area")(torch.as_tensor(mask))
    return np.where(np.asarray(small[0]) >= 0.5, 255, 0).astype(np.uint8)


@lru_cache(maxsize=32)
def _resizing(length: int, size: int) -> npt.NDArray[np.float32]:
    """Matrix (size, length) of what ``Resize`` does to a row.

    Smoothing and interpolation are linear and treat rows and columns apart, so that what becomes of the unit vectors
    says it all.
    """
    unit_vectors = torch.eye(length)
    return np.asarray(Resize((size,), mode="linear", anti_aliasing=True)(unit_vectors)).T
