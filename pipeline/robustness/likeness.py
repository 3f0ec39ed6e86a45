# SPDX-License-Identifier: Apache-2.0
"""How much masks of different images are alike, which shows a network that ignores its picture."""

from __future__ import annotations

from itertools import combinations

import torch

from pipeline.attacks import OutputClasses

__all__ = ["Likeness"]

# so many images at most are compared, each with each
_KEPT = 8


class Likeness:
    """The mean DIC between the masks of different images, of up to 8 that are spread evenly over all that are offered.

    Neighbours alone would say too much: slices of one volume are alike. A class that neither mask of a pair has says
    nothing, and a pair without any, or of two sizes, is left out.

    Args:
        classes: what the masks hold.

    Example:
        >>> alike = Likeness(Softmax())
        >>> alike.offer(torch.tensor([[[1, 1, 0]], [[0, 1, 1]]]))
        >>> alike.mean()
        0.5
    """

    def __init__(self, classes: OutputClasses) -> None:
        self._classes = classes
        self._kept: list[torch.Tensor] = []
        self._every = 1
        self._offered = 0

    def offer(self, masks: torch.Tensor) -> None:
        """Look at the masks (B, C, *spatial) of a batch."""
        for each in masks:
            if self._offered % self._every == 0:
                # small, and without the rest of its batch
                self._kept.append(each.to("cpu", torch.uint8, copy=True))
            self._offered += 1
            if len(self._kept) > _KEPT:
                self._kept = self._kept[::2]
                self._every *= 2

    def mean(self) -> float | None:
        """Return the mean over all pairs; None where there is none."""
        found = [self._dic(*pair) for pair in combinations(self._kept, 2) if pair[0].shape == pair[1].shape]
        told = [each for each in found if each is not None]
        return sum(told) / len(told) if told else None

    def _dic(self, first: torch.Tensor, second: torch.Tensor) -> float | None:
        maps = [self._classes.foreground(each[None])[0].bool().flatten(1) for each in (first, second)]
        sizes = maps[0].sum(1) + maps[1].sum(1)
        shared = (maps[0] & maps[1]).sum(1)
        there = sizes > 0
        return (2 * shared[there] / sizes[there]).mean().item() if there.any() else None
