# SPDX-License-Identifier: Apache-2.0
"""How far the boundaries of two masks are from each other."""

from __future__ import annotations

import warnings

import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

__all__ = ["surface_scores"]


def surface_scores(prediction: torch.Tensor, label: torch.Tensor, tolerance: float = 2.0) -> torch.Tensor:
    """Return HD95 and NSD of each image, (B, 2): the mean over the classes on which they are defined, else NaN.

    HD95 is the 95th percentile of the distances between the boundaries, NSD the part of the boundaries that is within
    the tolerance of the other. Where prediction or mask is empty, HD95 is not defined; where both are, NSD neither.

    Args:
        prediction: one map (B, F, *spatial) of 0 and 1 for each class but the background.
        label: the true maps, of the same shape.
        tolerance: of NSD, in pixels or voxels.
    """
    prediction, label = prediction.float().cpu(), label.float().cpu()
    with warnings.catch_warnings():
        # of empty masks, which NaN says too, and of an argument that MONAI itself gives
        warnings.simplefilter("ignore")
        hd95 = compute_hausdorff_distance(prediction, label, include_background=True, percentile=95)
        nsd = compute_surface_dice(prediction, label, [tolerance] * label.shape[1], include_background=True)
    return torch.stack([_mean(hd95), _mean(nsd)], 1)


def _mean(values: torch.Tensor) -> torch.Tensor:
    values = values.double()
    return torch.where(torch.isfinite(values), values, torch.nan).nanmean(1)
