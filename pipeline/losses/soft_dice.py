# SPDX-License-Identifier: Apache-2.0
"""The Dice loss as attacks need it: one number for each image, in which every pixel depends on all others."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import nn

from .check_target import check_target

__all__ = ["SoftDice"]


class SoftDice(nn.Module):
    """1 − the soft Dice of the foreground's probabilities and the mask, the mean over the foreground classes.

    Shape:
        input: logits (B, C, *spatial), C ≥ 2 classes that exclude each other, background first.
        target: class indices (B, 1, *spatial), of any number type.
        output: one number for each image, (B,), higher for worse predictions.

    Raises:
        ValueError: if ``target`` is not (B, 1, *spatial) of the input's size.

    Example:
        >>> SoftDice()(torch.tensor([[[9.0, 9.0], [-9.0, -9.0]]]), torch.tensor([[[0, 1]]]))
        tensor([1.0000])
    """

    def __init__(self) -> None:
        super().__init__()
        self.dice = DiceLoss(include_background=False, to_onehot_y=True, softmax=True, reduction="none")

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        check_target(self, input, target)
        return self.dice(input, target).flatten(1).mean(1)
