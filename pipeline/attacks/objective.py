# SPDX-License-Identifier: Apache-2.0
"""The function of the logits that an attack lowers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pipeline.losses import PixelCrossEntropy, Scheduled
from pipeline.utils import InputError

from .attacked_network import AttackedNetwork

__all__ = ["Loss", "Target", "inverse_mask", "objective"]

Loss = Callable[[Any, torch.Tensor], torch.Tensor]
Target = Callable[[torch.Tensor], torch.Tensor]

SUMMED_CROSS_ENTROPY = PixelCrossEntropy(reduction="sum")


def inverse_mask(label: torch.Tensor) -> torch.Tensor:
    """Return S_t of the paper, 1 − label, for a mask of 0 and 1.

    Raises:
        InputError: if the mask holds other values, or truth values instead of numbers.
    """
    if not ((label == 0) | (label == 1)).all():
        raise InputError(
            "inverse_mask: the mask must hold 0 and 1 only; the paper's target is defined for two classes. With more, "
            "give the attack no target."
        )
    if label.dtype == torch.bool:
        raise InputError("inverse_mask: the mask must hold numbers, got torch.bool; convert it with .float().")
    return 1 - label


def objective(
    attacked: AttackedNetwork, label: torch.Tensor, loss_function: Loss | Scheduled, target: Target | None
) -> Callable[..., torch.Tensor]:
    """Return what an attack lowers, a function of the logits and of ``progress``, the part of its steps from 0 to 1.

    Args:
        attacked: what is attacked.
        label: the true masks.
        loss_function: from logits and masks to a number. A sum over pixels keeps the images of a batch independent.
        target: from the true masks to those that the network is driven towards; None drives it away from the true ones.
    """
    masks = attacked.classes.target(label)
    wanted = masks if target is None else target(masks)

    def lowered(logits: Any, progress: float = 0.0) -> torch.Tensor:
        loss = loss_function.at(progress) if isinstance(loss_function, Scheduled) else loss_function
        value = loss(logits, wanted)
        return -value if target is None else value

    return lowered
