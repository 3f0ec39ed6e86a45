# SPDX-License-Identifier: Apache-2.0
"""The few pictures of a test set that checks look at."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.attacks import OutputClasses

__all__ = ["CheckedPictures"]


class CheckedPictures:
    """Keeps the first pictures of a test set whose masks are not empty, of one size, from as many batches as it takes.

    On an empty mask nothing can be lost, so that attacks say little there. Pictures with empty masks are taken only
    where there are too few others.

    Args:
        count: how many.
        classes: how masks become classes.

    Example:
        >>> checked = CheckedPictures(4, Softmax())
        >>> checked.offer(picture, label, ["a", "b", "c"])
        >>> pictures, labels, names = checked.chosen()
    """

    def __init__(self, count: int, classes: OutputClasses) -> None:
        self._count = count
        self._classes = classes
        self._with_foreground: list[tuple[torch.Tensor, torch.Tensor, str]] = []
        self._empty: list[tuple[torch.Tensor, torch.Tensor, str]] = []

    def __bool__(self) -> bool:
        return bool(self._with_foreground or self._empty)

    def offer(self, picture: torch.Tensor, label: torch.Tensor, names: Sequence[str]) -> None:
        """Look at a batch: pictures (B, C, *spatial) in grey levels, their masks and names."""
        for one, mask, name in zip(picture, label, names, strict=True):
            kept = self._with_foreground if self._classes.foreground(mask[None]).any() else self._empty
            if len(kept) < self._count:
                kept.append((one, mask, name))

    def chosen(self) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
        """Return the pictures, their masks and their names."""
        offered = [*self._with_foreground, *self._empty]
        alike = [each for each in offered if each[0].shape == offered[0][0].shape][: self._count]
        pictures, labels, names = zip(*alike, strict=True)
        return torch.stack(pictures), torch.stack(labels), names
