# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events
from monai.data import Dataset
from monai.transforms import Compose, RandomizableTrait, Transform
from monai.utils import CommonKeys
from torch import nn

from pipeline.transforms import MaskRange, write_mask_range
from pipeline.weights import fingerprint_network

__all__ = ["TrainingMasks"]


class TrainingMasks:
    """Leave beside a training's weights what its masks were like, so that ``PlausibleMasks`` can compare.

    When the training starts, the first process measures the masks as the network gets them, but before any random
    transform, and says how many are empty: a list that was written by hand may name the wrong files. When it is
    complete, it writes a ``MaskRange`` for each file of weights. What a ``CacheDataset`` holds is not loaded again.
    Attach this after ``TrainingCheckpoint``, which writes the weights.

    Args:
        dataset: the training pictures; each item holds ``"label"``, (1, *spatial), 0 or 1.
        network: the network that is trained, without a wrapper.
        weights: the files of its weights.

    Raises:
        InputError: if a file cannot be written.

    Example:
        >>> TrainingMasks(training_set, network, ["model.pt"]).attach(trainer)
    """

    def __init__(self, dataset: Dataset, network: nn.Module, weights: Sequence[str | os.PathLike[str]]) -> None:
        self.dataset = dataset
        self.network = network
        self.weights = weights

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: a trainer.
        """
        if not engine.has_event_handler(self.measure, Events.STARTED):
            engine.add_event_handler(Events.STARTED, self.measure)
            engine.add_event_handler(Events.COMPLETED, self.write)

    def measure(self) -> None:
        """Measure the masks, and say how many are empty."""
        if idist.get_rank() > 0:
            return
        empty: list[bool] = []

        def masks() -> Iterator[np.ndarray]:
            for mask in _masks(self.dataset):
                empty.append(not mask.any())
                yield mask

        self._range = MaskRange.of(masks(), weights="")
        if any(empty):
            print(f"note: {sum(empty)} of {len(empty)} masks of the training are empty.", file=sys.stderr)

    def write(self) -> None:
        """Write what was measured, with the fingerprint of the weights, for each file of weights."""
        if idist.get_rank() > 0:
            return
        content = replace(self._range, weights=fingerprint_network(self.network))
        for path in self.weights:
            write_mask_range(content, path)


def _masks(dataset: Dataset) -> Iterator[np.ndarray]:
    fixed = copy.copy(dataset)
    fixed.transform = _before_random(dataset.transform)
    for index in range(len(fixed)):
        yield np.asarray(fixed[index][CommonKeys.LABEL])[0]


def _before_random(transform: Compose) -> Compose:
    """The transforms whose result ``CacheDataset`` keeps, by its own rule."""
    end = transform.get_index_of_first(
        lambda each: isinstance(each, RandomizableTrait) or not isinstance(each, Transform)
    )
    return Compose(transform.transforms[:end])
