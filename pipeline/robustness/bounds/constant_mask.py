# SPDX-License-Identifier: Apache-2.0
"""The floor: the score of a network that gives the same mask for every picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import torch
from torch.nn.functional import interpolate

from pipeline.attacks import OutputClasses
from pipeline.metrics import dic_jsc
from pipeline.robustness.read_batch import whole_masks
from pipeline.utils import InputError, check_masks

__all__ = ["ConstantMask"]

# tenths, and finer below for small organs that are never twice in the same place; above the last one is nothing: the
# empty mask, the best one for a class that most images lack
THRESHOLDS = torch.tensor([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1], dtype=torch.float64)


class ConstantMask:
    """The best mask that does not look at the picture, made of the training masks.

    Of each class, it holds the pixels where more than a part of the training masks have it. That part, a threshold of
    its own for each class, is the one of ``THRESHOLDS`` with the highest mean DIC on the training masks. Where classes
    exclude each other, a pixel is left to its most frequent foreground class.

    It is defined in relative coordinates. Frequencies are counted in the most common size, to which other masks are
    resized (by area), and are resized to the size of the mask that is scored.

    Args:
        masks: (C, *spatial) as ``classes`` has them, or one-hot; a list or a data set, which is gone through three
            times.
        classes: how masks become one map for each scored class.

    Raises:
        InputError: if there are no masks, or one holds other numbers or has another number of channels or axes than
            ``classes`` and the other masks say.
        TypeError: if the masks can be gone through only once.

    Example:
        >>> floor = ConstantMask([item["label"] for item in training_set], Softmax())
        >>> round(floor.score(test_set[0]["label"]), 2)
        0.84
    """

    def __init__(self, masks: Iterable[torch.Tensor], classes: OutputClasses) -> None:
        if isinstance(masks, Iterator):
            raise TypeError("masks are gone through three times: a list or a data set is needed, not an iterator.")
        self.classes = classes
        sizes = Counter(tuple(self._foreground(mask).shape[1:]) for mask in masks)
        if not sizes:
            raise InputError("The best constant mask is made of training masks, and there are none.")
        self._size = sizes.most_common(1)[0][0]
        for size in sizes:
            self._check_axes(size)
        self._frequencies = sum(_resized(self._foreground(mask), self._size) for mask in masks) / sizes.total()
        found = sum(self._dic_by_threshold(self._foreground(mask)) for mask in masks)
        self.thresholds = THRESHOLDS[torch.as_tensor(found).argmax(1)]

    def maps(self, size: tuple[int, ...]) -> torch.Tensor:
        """Return the constant mask in a size: one map of 0 and 1 for each scored class, (F, *size)."""
        return self._frequencies_in(size) > self.thresholds.view(-1, *[1] * len(size))

    def score(self, label: torch.Tensor) -> float:
        """Return DIC of the constant mask for a true mask (C, *spatial), the mean over the classes."""
        truth = self._foreground(label, "label")
        self._check_axes(tuple(truth.shape[1:]))
        return dic_jsc(self.maps(tuple(truth.shape[1:]))[None], truth[None])[0, 0].item()

    def _foreground(self, mask: torch.Tensor, what: str = "training_masks") -> torch.Tensor:
        plain = torch.as_tensor(mask).as_subclass(torch.Tensor).cpu()
        whole, cut = whole_masks(plain[None], self.classes)
        if cut.any():
            raise InputError(f"{what}: a mask holds numbers that are not whole; give class numbers, or 0 and 1.")
        check_masks(whole, 1, what, self.classes.mask_channels, self.classes.labels)
        return self.classes.foreground(whole)[0]

    def _check_axes(self, size: tuple[int, ...]) -> None:
        if len(size) != len(self._size):
            raise InputError(
                f"training_masks: most have the size {self._size}, but a mask has {size}; give each its channels and "
                "as many axes of space as the pictures."
            )

    def _frequencies_in(self, size: tuple[int, ...]) -> torch.Tensor:
        frequencies = _resized(torch.as_tensor(self._frequencies), size)
        if self.classes.mask_channels > 1:
            return frequencies
        most_frequent = torch.zeros_like(frequencies).scatter(0, frequencies.argmax(0, keepdim=True), 1)
        return frequencies * most_frequent

    def _dic_by_threshold(self, truth: torch.Tensor) -> torch.Tensor:
        """Return DIC of each class at each threshold, (F, T)."""
        # a pixel of level n is above the first n thresholds
        levels = torch.searchsorted(THRESHOLDS, self._frequencies_in(tuple(truth.shape[1:])))
        return torch.stack([_dic_of_levels(*of_class) for of_class in zip(levels, truth, strict=True)])


def _dic_of_levels(levels: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    held = _count_above(levels.flatten())
    common = _count_above(levels[truth])
    total = held + truth.sum()
    return torch.where(total > 0, 2 * common / total, 1.0)


def _count_above(levels: torch.Tensor) -> torch.Tensor:
    counts = torch.bincount(levels, minlength=len(THRESHOLDS) + 1)
    return counts.flip(0).cumsum(0).flip(0)[1:].double()


def _resized(maps: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    if tuple(maps.shape[1:]) == size:
        return maps.double()
    return interpolate(maps[None].double(), size, mode="area")[0]
