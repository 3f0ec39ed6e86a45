# SPDX-License-Identifier: Apache-2.0
"""Intervals of means over seeds and images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["bootstrap_interval"]

Array = npt.NDArray[np.float64]


def bootstrap_interval(
    difference: Array, draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[Array, Array]:
    """Return a percentile bootstrap interval of the mean over seeds and images.

    Seeds and images are two crossed samples: every trained network sees the same images. Both are drawn anew with
    replacement, independently (Owen 2007, "The pigeonhole bootstrap"), so that the interval holds for other seeds and
    other images alike. With few seeds it is too narrow where the seeds differ more than the images do, because a
    bootstrap of n seeds shows (n - 1)/n of their variance. Of 3 such seeds it is the span from the lowest to the
    highest: 75 % coverage instead of 95 %, 5 give about 84 %, 12 about 92 %.

    Args:
        difference: (S, I, ...) paired differences of S seeds on I images; the other axes are computed side by side,
            with the same draws.
        draws: number of bootstrap samples.
        level: coverage aimed at.
        seed: of the random numbers.

    Returns:
        Lower and upper end, each (...).
    """
    seeds, images, *rest = difference.shape
    random = np.random.default_rng(seed)
    # drawing with replacement is weighing by how often each was drawn
    seed_weights = random.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    image_weights = random.multinomial(images, np.full(images, 1 / images), draws) / images
    over_images = image_weights @ difference.swapaxes(0, 1).reshape(images, -1)
    means = np.einsum("ds,dsk->dk", seed_weights, over_images.reshape(draws, seeds, -1))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low.reshape(rest), high.reshape(rest)
