# SPDX-License-Identifier: Apache-2.0
"""What checks may look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import torch
from torch import nn

from pipeline.attacks import AttackedNetwork

from .outputs import SAME, change, output_of

__all__ = ["Evidence", "Repeated"]

# the first one included: one that is random in each fifth call is missed in one of 35
PASSES = 16


@dataclass(frozen=True)
class Repeated:
    """How far forward passes of the same pictures differ from the first.

    Attributes:
        change: the largest difference as a part of the logits' spread.
        share: the largest share of pixels whose class is another one.
    """

    change: float
    share: float


@dataclass(frozen=True)
class Evidence:
    """What checks may look at.

    Attributes:
        attacked: the network, see ``AttackedNetwork``: ``predict``, ``value_and_gradient``, ``network``, ``inferer``.
        picture: a few clean pictures (B, C, *spatial) of the test set in grey levels of 0 to 255.
        label: their masks, as ``attacked.classes`` has them.
        images: their names in the column ``image`` of the table.
        scores: the whole table, all images, all attacks, see ``pipeline.robustness.scores``.
        epsilons: the intensities that were attacked, in grey levels, rising.
        floor: mean DIC of the best constant mask, None where there is none.
        fresh: a copy of the network from before it saw any picture; None where it cannot be copied.
    """

    attacked: AttackedNetwork
    picture: torch.Tensor
    label: torch.Tensor
    images: tuple[str, ...]
    scores: pd.DataFrame
    epsilons: tuple[float, ...]
    floor: float | None = None
    fresh: nn.Module | None = None

    @cached_property
    def repeated(self) -> Repeated:
        """What 16 forward passes of the pictures give, made once for all checks."""
        first = output_of(self.attacked, self.picture)
        classes = self.attacked.classes.decide(first)
        changes, shares = [0.0], [0.0]
        for _ in range(PASSES - 1):
            other = output_of(self.attacked, self.picture)
            changes.append(change(first, other))
            shares.append((self.attacked.classes.decide(other) != classes).double().mean().item())
        return Repeated(max(changes), max(shares))

    @property
    def is_random(self) -> bool:
        """Whether two forward passes of the same pictures differ."""
        return self.repeated.change > SAME
