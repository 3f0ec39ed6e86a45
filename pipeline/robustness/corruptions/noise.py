# SPDX-License-Identifier: Apache-2.0
"""Noise of the electronics, of coherent waves and of few quanta."""

from __future__ import annotations

import numpy as np
from skimage.util import random_noise

__all__ = ["gaussian_noise", "shot_noise", "speckle_noise"]


def gaussian_noise(picture: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture with normal noise of a standard deviation of σ·255 grey levels."""
    return 255 * random_noise(picture / 255, "gaussian", rng=generator, var=sigma**2)


def speckle_noise(picture: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture with normal noise of a standard deviation of σ times the grey level."""
    return 255 * random_noise(picture / 255, "speckle", rng=generator, var=sigma**2)


def shot_noise(picture: np.ndarray, quanta: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture as counts of quanta (Poisson), of which so many make 255."""
    # scikit-image has no setting for how many
    return 255 * generator.poisson(picture.clip(0) / 255 * quanta) / quanta
