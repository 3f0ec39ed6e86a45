# SPDX-License-Identifier: Apache-2.0
"""SLSDeep's loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.nn.modules.loss import _Loss

from .check_target import check_target
from .pixel_cross_entropy import PixelCrossEntropy

__all__ = ["CrossEntropyEndPointError", "EndPointError"]


class EndPointError(_Loss):
    """End point error of Sarker et al. (MICCAI 2018): how far the edges of prediction and mask are from each other,

        mean √((∂x p − ∂x g)² + (∂y p − ∂y g)² + 10⁻¹²)

    over all pixels of the batch, with Sobel's derivatives (weights that sum to 1, border pixels repeated outwards) of
    the mask g and of the foreground's probability p.

    The authors' released code takes the edges of the argmax, which has no gradient: there the term only shifts the
    logged loss. The probability makes it a loss. The 10⁻¹² keeps its gradient finite where both edges agree.

    Shape:
        input: logits (B, 2, H, W), background first.
        target: class indices 0 and 1 (B, 1, H, W), of any number type.
        output: a scalar.

    Raises:
        ValueError: if the input has not 2 classes, or ``target`` is not (B, 1, H, W) of the input's size.
    """

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if input.ndim != 4 or input.shape[1] != 2:
            raise ValueError(f"EndPointError: input must have shape (B, 2, H, W), got {tuple(input.shape)}.")
        check_target(self, input, target)
        difference = torch.softmax(input, dim=1)[:, 1:] - target.to(input.dtype)
        # the derivative is linear: that of the difference is the difference of both
        return (_sobel(difference).square() + _sobel(difference.mT).mT.square() + 1e-12).sqrt().mean()


class CrossEntropyEndPointError(_Loss):
    """Sarker et al.'s loss for SLSDeep: mean cross-entropy of the pixels + ``weight`` · end point error.

    Args:
        weight: of the end point error; ½ in the authors' released code.

    Shape, Raises:
        as ``EndPointError``.
    """

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__()
        self.weight = weight
        self.cross_entropy = PixelCrossEntropy()
        self.end_point_error = EndPointError()

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.cross_entropy(input, target) + self.weight * self.end_point_error(input, target)


def _sobel(x: torch.Tensor) -> torch.Tensor:
    """The derivative along the last dimension, smoothed along the one before it."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    smooth = (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4
    return smooth[..., 2:] - smooth[..., :-2]
