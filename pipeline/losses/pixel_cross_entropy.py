# SPDX-License-Identifier: Apache-2.0
"""The paper's cross-entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.nn.modules.loss import _Loss

from .check_target import check_target

__all__ = ["PixelCrossEntropy"]


class PixelCrossEntropy(_Loss):
    """Cross-entropy of every pixel between logits and a label map with MONAI's channel dimension (equation 4).

    Args:
        reduction: ``"mean"`` or ``"sum"`` over all pixels of the batch, or ``"none"``.

    Shape:
        input: logits (B, C, *spatial), C ≥ 2 classes, background first.
        target: class indices (B, 1, *spatial), of any number type.
        output: a scalar, or (B, *spatial) for ``"none"``.

    Raises:
        ValueError: if ``target`` is not (B, 1, *spatial) of the input's size.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        check_target(self, input, target)
        return F.cross_entropy(input, target.squeeze(1).long(), reduction=self.reduction)
