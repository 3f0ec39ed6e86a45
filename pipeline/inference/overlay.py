# SPDX-License-Identifier: Apache-2.0
"""A mask drawn on its picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from skimage.morphology import erosion, footprint_rectangle

from pipeline.figures import PREDICTED

__all__ = ["draw_overlay"]

COLOR = 255 * np.array(to_rgb(PREDICTED), dtype=np.float32)
TINT = 0.15
# outline of one pixel per so many pixels of the picture's longer side
PIXELS_PER_LINE = 300


def draw_overlay(picture: npt.NDArray[np.floating], mask: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Draw a mask on a picture: outlined, and tinted lightly enough to judge what lies under it.

    Args:
        picture: (C, rows, columns) in [0, 1], C being 1 or 3.
        mask: (rows, columns), 0 or 1.

    Returns:
        RGB picture (rows, columns, 3).
    """
    width = max(1, round(max(mask.shape) / PIXELS_PER_LINE))
    inside = erosion(mask, footprint_rectangle((2 * width + 1,) * 2, decomposition="separable"))
    drawn = 255 * np.broadcast_to(picture, (3, *mask.shape)).transpose(1, 2, 0).astype(np.float32)
    weight = np.where(inside, TINT, np.float32(1))[mask == 1][:, None]
    drawn[mask == 1] = (1 - weight) * drawn[mask == 1] + weight * COLOR
    return np.rint(drawn).astype(np.uint8)
