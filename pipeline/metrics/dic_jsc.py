# SPDX-License-Identifier: Apache-2.0
"""The paper's scores: Dice and Jaccard."""

from __future__ import annotations

import torch
from monai.metrics import compute_iou

from .class_dic import class_dic

__all__ = ["dic_jsc"]


def dic_jsc(prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return DIC and JSC (equations 7 and 8: Dice and intersection over union) of each image, (B, 2).

    An empty mask scores 1 where nothing is predicted, and 0 otherwise.

    Args:
        prediction: one map (B, F, *spatial) of 0 and 1 for each class but the background; the mean over them counts.
        label: the true maps, of the same shape.
    """
    jsc = compute_iou(prediction.float(), label.float(), ignore_empty=False)
    return torch.stack([class_dic(prediction, label).mean(1), jsc.mean(1)], 1)
