# SPDX-License-Identifier: Apache-2.0
"""How far the boundaries of two masks are from each other."""

from __future__ import annotations

import math
import warnings

import torch
from monai.metrics.utils import get_edge_surface_distance

__all__ = ["surface_scores"]


def surface_scores(prediction: torch.Tensor, label: torch.Tensor, tolerance: float = 2.0) -> torch.Tensor:
    """Return HD95 and NSD of each image, (B, 2): the mean over the classes on which they are defined, else NaN.

    HD95 is the 95th percentile of the distances between the boundaries, NSD the part of the boundaries that is within
    the tolerance of the other. A class that neither prediction nor mask has is left out. Where one of the two has it
    alone, its NSD is 0, and the image has no HD95: the mean over the other classes would hide what is lost.
    The figures are those of MONAI's ``compute_hausdorff_distance`` and ``compute_surface_dice``, whose distances are
    computed once for both.

    Args:
        prediction: one map (B, F, *spatial) of 0 and 1 for each class but the background.
        label: the true maps, of the same shape.
        tolerance: of NSD, in pixels or voxels.
    """
    prediction, label = prediction.float().cpu(), label.float().cpu()
    scores = [
        [_of_class(*maps, tolerance) for maps in zip(*image, strict=True)]
        for image in zip(prediction, label, strict=True)
    ]
    means = torch.tensor(scores, dtype=torch.float64).nanmean(1)
    return means.where(means.isfinite(), torch.nan)


def _of_class(prediction: torch.Tensor, label: torch.Tensor, tolerance: float) -> tuple[float, float]:
    if not prediction.any() or not label.any():
        return (math.inf, 0.0) if prediction.any() or label.any() else (math.nan, math.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of an argument that MONAI itself gives
        _, distances, _ = get_edge_surface_distance(prediction, label, symmetric=True)
    hd95 = max(torch.quantile(each.double(), 0.95).item() for each in distances)
    near = sum((each <= tolerance).sum().item() for each in distances)
    return hd95, near / sum(len(each) for each in distances)
