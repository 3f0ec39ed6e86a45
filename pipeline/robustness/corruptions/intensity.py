# SPDX-License-Identifier: Apache-2.0
"""Exposure and contrast."""

from __future__ import annotations

import numpy as np

__all__ = ["contrast", "exposure"]


def exposure(picture: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture with its grey levels multiplied."""
    return factor * picture


def contrast(picture: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture with the distances to the mean of each channel multiplied."""
    mean = picture.mean(axis=tuple(range(1, picture.ndim)), keepdims=True)
    return mean + factor * (picture - mean)
