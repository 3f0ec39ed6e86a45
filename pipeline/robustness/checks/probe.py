# SPDX-License-Identifier: Apache-2.0
"""What several checks do with a network: attack it for a few steps, and read its table of scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import torch

from pipeline.attacks import AttackedNetwork
from pipeline.losses import Margin, PixelCrossEntropy, SoftDice

from ..scores import CLEAN, worst_case
from .evidence import Evidence
from .table_attacks import by_gradient

__all__ = [
    "CROSS_ENTROPY",
    "SOFT_DICE",
    "Loss",
    "descend",
    "dic_of",
    "lowest_dic",
    "margins",
]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

CROSS_ENTROPY = PixelCrossEntropy(reduction="sum")
SOFT_DICE = SoftDice()


def margins(attacked: AttackedNetwork, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return how far the best wrong class is above the true one at each pixel, of each image: (B, pixels)."""
    masks = attacked.classes.target(label).squeeze(1).long()
    return Margin().of_pixels(logits, masks).reshape(len(label), -1)


def dic_of(attacked: AttackedNetwork, pictures: torch.Tensor, label: torch.Tensor, draws: int = 1) -> torch.Tensor:
    """Return DIC of each image, (B,), the mean over several forward passes."""
    return torch.stack([attacked.scores(attacked.predict(pictures, label), label)[:, 0] for _ in range(draws)]).mean(0)


def descend(
    attacked: AttackedNetwork,
    picture: torch.Tensor,
    label: torch.Tensor,
    epsilon: float,
    loss: Loss,
    steps: int,
    *,
    draws: int = 1,
    towards: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the last pictures of a short attack by the gradient's sign from a random start.

    It is told apart from the battery's attacks by what it leaves out: no best iterate is kept, so that what the
    gradients themselves lead to is seen.

    Args:
        attacked: what is attacked.
        picture: clean pictures in grey levels.
        label: their masks.
        epsilon: the most that a grey level may change.
        loss: from logits and masks to a number, which the attack raises.
        steps: how many; each moves by 2.5 ε / steps.
        draws: how many gradients of the same pictures are averaged for each step.
        towards: masks that the attack goes to, the loss being lowered then.
    """
    masks = attacked.classes.target(label if towards is None else towards)
    sign = 1 if towards is None else -1
    start = torch.rand(picture.shape, generator=torch.Generator().manual_seed(0), dtype=picture.dtype)
    delta = epsilon * (2 * start.to(picture.device) - 1)
    for _ in range(steps):
        at = (picture + delta).clamp(0, 255)
        gradient = sum(attacked.value_and_gradient(at, lambda logits: loss(logits, masks))[1] for _ in range(draws))
        assert isinstance(gradient, torch.Tensor)
        moved = at + sign * 2.5 * epsilon / steps * gradient.sign()
        delta = (moved - picture).clamp(-epsilon, epsilon)
    return (picture + delta).clamp(0, 255)


def lowest_dic(evidence: Evidence, images: Sequence[str] | None = None) -> pd.Series:
    """Return by ε the mean DIC, over images, of the worst that attacks with gradients alone found within ε.

    The refinement is not one of them: it goes on from what attacks without gradients have found, too.

    Args:
        evidence: what is looked at.
        images: of these alone; all by default.
    """
    scores = evidence.scores
    kept = scores[[name == CLEAN or by_gradient(name) for name in scores["attack"]]]
    if images is not None:
        kept = kept[kept["image"].isin(images)]
    return worst_case(kept).groupby("epsilon")["DIC"].mean()
