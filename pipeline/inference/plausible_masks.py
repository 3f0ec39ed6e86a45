# SPDX-License-Identifier: Apache-2.0
"""Whether masks are like those of the training."""

from __future__ import annotations

import os

import numpy as np
from ignite.engine import Engine, Events
from torch import nn

from pipeline.transforms import MaskRange, mask_range_path, measure_mask, read_mask_range
from pipeline.utils import InputError
from pipeline.weights import fingerprint_network

from .segmentation_writer import predicted_masks

__all__ = ["PlausibleMasks"]

MORE_PARTS = 3  # than any mask of the training


class PlausibleMasks:
    """Compare predicted masks with the masks of the training, as ``TrainingMasks`` has described them.

    A mask is implausible if it is empty; if it covers less than half of what the smallest mask of the training does,
    more than one and a half times what the largest does, or leaves less than half of the background that this leaves;
    or if it has more than 3 parts more than any of them, see :func:`pipeline.transforms.measure_mask`.

    Args:
        weights: the file of the network's weights, beside which the ``MaskRange`` stands.
        network: the network, with its weights when the engine starts.

    Attributes:
        implausible: one sentence for each implausible mask; it calls the picture by ``"shown"``.
        unchecked: why masks could not be compared, so that only empty ones were found; empty if they were.
    """

    def __init__(self, weights: str | os.PathLike[str], network: nn.Module) -> None:
        self.weights = weights
        self.network = network
        self.implausible: list[str] = []
        self.unchecked = ""
        self._range: MaskRange | None = None

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: an evaluator with decollated output. Each item of its batch holds ``"shown"``; each item of its
                output holds ``"pred"``, (1, rows, columns), 0 or 1.
        """
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def start(self, engine: Engine) -> None:
        """Read what the masks of the training were like."""
        self.unchecked, self._range = "", None
        try:
            found = read_mask_range(self.weights)
        except InputError as error:
            self.unchecked = f"Whether the masks are plausible was not checked. {error}"
            return
        if found.weights == fingerprint_network(self.network):
            self._range = found
        else:
            self.unchecked = (
                f"Whether the masks are plausible was not checked. {mask_range_path(self.weights)} belongs to other "
                f"weights than {self.weights}; copy it from where the training left it, beside its weights."
            )

    def __call__(self, engine: Engine) -> None:
        """Compare the masks of one batch."""
        for item, mask in predicted_masks(engine):
            reason = _why_implausible(mask, self._range)
            if reason:
                self.implausible.append(f"{item['shown']}: {reason}")


def _why_implausible(mask: np.ndarray, trained: MaskRange | None) -> str:
    area, parts = measure_mask(mask)
    if area == 0:
        return "the mask is empty."
    if trained is None:
        return ""
    lowest, highest = trained.area
    if not lowest / 2 <= area <= min(1.5 * highest, (1 + highest) / 2):
        return f"the mask covers {area:.1%} of the picture; those of the training cover {lowest:.1%} to {highest:.1%}."
    if parts > trained.parts + MORE_PARTS:
        return f"the mask has {parts} parts; those of the training have {trained.parts} at most."
    return ""
