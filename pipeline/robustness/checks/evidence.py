# SPDX-License-Identifier: Apache-2.0
"""What checks may look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import mean

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
        floor: DIC of the best constant mask on each image of the table, by name; None where there is none.
        fresh: a copy of the network from before it saw any picture; None where it cannot be copied.
        empty: the images of the table whose masks have no foreground.
        full: those whose masks have no background.
    """

    attacked: AttackedNetwork
    picture: torch.Tensor
    label: torch.Tensor
    images: tuple[str, ...]
    scores: pd.DataFrame
    epsilons: tuple[float, ...]
    floor: Mapping[str, float] | None = None
    fresh: nn.Module | None = None
    empty: frozenset[str] = frozenset()
    full: frozenset[str] = frozenset()

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

    def mean_floor(self, images: Iterable[str]) -> float | None:
        """Return the mean DIC of the best constant mask on these images; None where there is none."""
        return None if self.floor is None else mean(self.floor[image] for image in images)

    @property
    def is_random(self) -> bool:
        """Whether two forward passes of the same pictures differ."""
        return self.repeated.change > SAME
