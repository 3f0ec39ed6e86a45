# SPDX-License-Identifier: Apache-2.0
"""Dice of each class."""

from __future__ import annotations

import torch
from monai.metrics import compute_dice

__all__ = ["class_dic"]


def class_dic(prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return DIC (equation 7: Dice) of each class of each image, (B, F), from 0 to 1.

    A class that the true mask does not have scores 1 where it is not predicted, and 0 otherwise.

    Args:
        prediction: one map (B, F, *spatial) of 0 and 1 for each class but the background.
        label: the true maps, of the same shape.
    """
    dic: torch.Tensor = compute_dice(prediction.float(), label.float(), ignore_empty=False)
    return dic
