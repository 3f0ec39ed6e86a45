# SPDX-License-Identifier: Apache-2.0
"""How much masks of different images are alike, which shows a network that ignores its picture."""

from __future__ import annotations

from itertools import combinations

import torch

__all__ = ["Likeness"]

# so many images at most are compared, each with each
_KEPT = 16


class Likeness:
    """The mean DIC between the masks of different images, of up to 16 that are spread evenly over all that are offered.

    Neighbours alone would say too much: slices of one volume are alike. A class that neither mask of a pair has says
    nothing, and a pair without any, or of two sizes, is left out.

    Example:
        >>> alike = Likeness()
        >>> alike.offer(torch.tensor([[[1, 1, 0]], [[0, 1, 1]]]))
        >>> alike.mean()
        0.5
    """

    def __init__(self) -> None:
        self._kept: list[torch.Tensor] = []
        self._every = 1
        self._offered = 0

    def offer(self, maps: torch.Tensor) -> None:
        """Look at the masks of a batch: one map (B, F, *spatial) of 0 and 1 for each class but the background."""
        for each in maps:
            if self._offered % self._every == 0:
                self._kept.append(each.bool().cpu())
            self._offered += 1
            if len(self._kept) > _KEPT:
                self._kept = self._kept[::2]
                self._every *= 2

    def mean(self) -> float | None:
        """Return the mean over all pairs; None where there is none."""
        found = [_dic(*pair) for pair in combinations(self._kept, 2) if pair[0].shape == pair[1].shape]
        told = [each for each in found if each is not None]
        return sum(told) / len(told) if told else None


def _dic(first: torch.Tensor, second: torch.Tensor) -> float | None:
    sizes = first.flatten(1).sum(1) + second.flatten(1).sum(1)
    shared = (first & second).flatten(1).sum(1)
    there = sizes > 0
    return (2 * shared[there] / sizes[there]).mean().item() if there.any() else None
