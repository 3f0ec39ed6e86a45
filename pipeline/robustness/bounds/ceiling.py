# SPDX-License-Identifier: Apache-2.0
"""The ceiling: how well any model can do in the worst case, estimated by a collision of two pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy import ndimage

from pipeline.attacks import OutputClasses

__all__ = ["ceiling", "why_no_ceiling"]

RADII = np.arange(1, 25) / 2  # pixels
NORMAL_SIGMA, SMOOTHING_SIGMA = 4, 3  # pixels


def why_no_ceiling(classes: OutputClasses, spatial_dims: int) -> str:
    """Return why no ceiling is estimated for such masks, as a sentence; empty where it is."""
    if spatial_dims != 2:
        return f"The collision argument is made for pictures in two dimensions; these have {spatial_dims}."
    foreground = classes.labels * classes.mask_channels
    if foreground != 1:
        return f"The collision argument is made for one foreground class; there are {foreground}."
    return ""


def ceiling(
    picture: torch.Tensor, label: torch.Tensor, epsilons: Sequence[float], tail: float = 0.01
) -> dict[float, float]:
    """Return for each ε the DIC that no model is likely to exceed on a picture in the worst case, an estimate.

    The boundary of the mask is moved along its normals by .5, 1, … 12 pixels, outwards or inwards, with a smooth warp
    of the picture. Where that changes the picture by at most 2ε, the picture half-way is within ε of two pictures with
    two true masks. Whatever a model answers to it, its mean DIC for both is about (1 + D)/2 at most, D the DIC of the
    two masks; the lowest D of all moves counts, and 1 where there is none, or no boundary (Bhagoji et al., NeurIPS
    2019, in a form for masks).

    It takes the warped picture for a possible one, and knows one family of moves, so that the true ceiling may be
    lower, or higher.

    Args:
        picture: (C, H, W) in grey levels of 0 to 255; of channels the largest change counts.
        label: (1, H, W), above 0 in the foreground.
        epsilons: in grey levels.
        tail: the part of the pixels that may change by more than 2ε.

    Example:
        >>> ceiling(picture[0], label[0], [8.0, 32.0])
        {8.0: 1.0, 32.0: 1.0}
    """
    mask = label[0].cpu().numpy() > 0
    moves = [] if mask.all() or not mask.any() else list(_moves(picture.cpu().double().numpy(), mask, tail))
    return {
        epsilon: (1 + min((dic for change, dic in moves if change <= 2 * epsilon), default=1.0)) / 2
        for epsilon in epsilons
    }


def _moves(picture: np.ndarray, mask: np.ndarray, tail: float) -> Iterator[tuple[float, float]]:
    """Yield of each move the change of grey levels that all but the tail stay within, and DIC of the two masks."""
    distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    normals = _normals(distance)
    grid = np.indices(mask.shape, dtype=float)
    for radius in (*RADII, *-RADII):
        fading = np.exp(-((distance / (3 * abs(radius) + 6)) ** 2))
        points = grid + radius * fading * normals
        change = np.max([np.abs(_sample(channel, points) - channel) for channel in picture], axis=0)
        moved = _sample(mask.astype(float), points) >= 0.5
        dic = 2 * (moved & mask).sum() / (moved.sum() + mask.sum())
        yield float(np.quantile(change, 1 - tail)), float(dic)


def _normals(distance: np.ndarray) -> np.ndarray:
    slope = np.stack(np.gradient(ndimage.gaussian_filter(distance, NORMAL_SIGMA)))
    length = np.sqrt((slope**2).sum(0))
    unit = np.divide(slope, length, out=np.zeros_like(slope), where=length > 0)
    return np.stack([ndimage.gaussian_filter(axis, SMOOTHING_SIGMA) for axis in unit])


def _sample(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    return ndimage.map_coordinates(values, points, order=1, mode="nearest")
