# SPDX-License-Identifier: Apache-2.0
"""Curves and noise of which phantoms are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

__all__ = ["Field", "Random", "curve", "noise", "step"]

Field = npt.NDArray[Any]
Random = np.random.Generator


def curve(points: Field, size: int) -> Field:
    """Draw a cubic Bézier curve: (size, size) of 0, and 1 on the curve.

    Args:
        points: (4, 2), row and column of the four control points as parts of ``size``.
        size: rows and columns.
    """
    t = np.linspace(0, 1, size * 2)
    weights = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    rows, columns = np.floor((points * size).T @ weights).astype(int)
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    drawn = np.zeros((size, size), dtype=np.float32)
    drawn[rows[inside], columns[inside]] = 1
    return drawn


def noise(random: Random, size: int, cells: int) -> Field:
    """Smooth noise of unit variance, ``cells`` blobs along an edge."""
    coarse = random.standard_normal((cells + 3, cells + 3)).astype(np.float32)
    axis = np.linspace(1, cells + 1, size, dtype=np.float32)
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return map_coordinates(coarse, [rows, columns], order=1 if cells > 40 else 3, prefilter=False) * 1.5


def step(distance: Field, width: float) -> Field:
    """1 where the distance is positive, 0 where negative, over a soft edge."""
    return 1 / (1 + np.exp(-np.clip(distance / width, -30, 30)))
