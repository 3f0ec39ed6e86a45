# SPDX-License-Identifier: Apache-2.0
"""At how many pixels is there no gradient at all?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F

from .check import CheckResult
from .evidence import Evidence
from .outputs import SAME, change, output_of
from .probe import margins

__all__ = ["ZeroGradients"]

ROUNDS = 16
TOO_MANY = 0.1
TOO_MANY_INPUTS = 0.5
# grey levels by which input pixels without a gradient are moved, to see whether they matter
MOVE = 8.0


class ZeroGradients:
    """Single logits, and the cross-entropy of single right pixels, have a gradient that is not exactly zero.

    One pixel of each picture at a time, drawn alike from all classes, since a sum over pixels hides those that are
    masked. A ReLU, a clamp or a saturated function before the logits gives zero for logits; logits that are too large
    for the numbers, for the cross-entropy; rounding, for both. The value is the larger share of zeros. Of the margin of
    all pixels the gradient must not be zero at more than half of the input's pixels, either, unless these do not
    matter: moved by 8 grey levels, they change nothing. Nor may it be infinite, or no number, at any pixel.

    Example:
        >>> ZeroGradients()(evidence).status
        'passed'
    """

    name = "gradients are not zero"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, picture, label = evidence.attacked, evidence.picture, evidence.label
        kept: list[torch.Tensor] = []

        def all_margins(logits: torch.Tensor) -> torch.Tensor:
            kept.append(logits.detach())
            return margins(attacked, logits, label).sum()

        slope = attacked.value_and_gradient(picture, all_margins)
        of_input = _of_input(evidence, slope.gradient == 0)
        logits, masks = kept[0], attacked.classes.target(label).squeeze(1).long()
        draw = _Draw(logits, masks, len(picture))
        everywhere, right = torch.ones_like(masks, dtype=torch.bool), logits.argmax(1) == masks
        of_logits, of_entropy = [], []
        for _ in range(ROUNDS):
            pixels, channels = draw.pixels(everywhere), draw.channels()
            of_logits.append(_is_zero(evidence, partial(_single_logits, pixels=pixels, channels=channels)))
            of_entropy.append(_is_zero(evidence, partial(_single_entropies, pixels=draw.pixels(right))))
        shares = [torch.cat(each).double().mean().item() for each in (of_logits, of_entropy)]
        value = max(shares)
        said = (
            f"The gradient is exactly zero for {shares[0]:.0%} of the logits, for the cross-entropy of {shares[1]:.0%} "
            f"of the right pixels, and at {of_input:.0%} of the picture's pixels"
        )
        if slope.not_finite:
            said = f"The gradient is not a finite number at {slope.not_finite:.0%} of the picture's pixels. {said}"
        elif value <= TOO_MANY and of_input <= TOO_MANY_INPUTS:
            return CheckResult(self.name, "passed", value, f"{said}.")
        return CheckResult(
            self.name,
            "failed",
            max(value, of_input, slope.not_finite),
            f"{said}: attacks cannot see these pixels, and figures are too high.",
        )


def _of_input(evidence: Evidence, zero: torch.Tensor) -> float:
    """The share of the input's pixels whose gradient is zero although they matter."""
    share = zero.double().mean().item()
    if share <= TOO_MANY_INPUTS:
        return share
    picture = evidence.picture
    # inwards, so that nothing leaves the range
    moved = torch.where(zero, picture + MOVE * torch.where(picture < 128, 1, -1), picture)
    before, after = (output_of(evidence.attacked, each) for each in (picture, moved))
    return share if change(before, after) > SAME else 0.0


def _is_zero(evidence: Evidence, loss: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Whether the gradient of each picture is zero everywhere, (B,)."""
    gradient = evidence.attacked.value_and_gradient(evidence.picture, loss)[1]
    return (gradient == 0).flatten(1).all(1)


@dataclass(frozen=True)
class _Pixels:
    """One pixel of each picture, (B,) each: its row of the logits, its place in the flat row, its true class."""

    rows: torch.Tensor
    flat: torch.Tensor
    labels: torch.Tensor


def _single_logits(logits: torch.Tensor, pixels: _Pixels, channels: torch.Tensor) -> torch.Tensor:
    return logits.flatten(2)[pixels.rows, channels, pixels.flat]


def _single_entropies(logits: torch.Tensor, pixels: _Pixels) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(2)[pixels.rows, :, pixels.flat], pixels.labels, reduction="sum")


class _Draw:
    """Draws one pixel of each picture at a time, of a class that is drawn before, so that small ones are seen."""

    def __init__(self, logits: torch.Tensor, masks: torch.Tensor, pictures: int) -> None:
        self._generator = torch.Generator().manual_seed(0)
        self._masks = masks.flatten(1)
        # a constant channel, such as the zero beside the only logit of a sigmoid, is no logit
        spread = logits.transpose(0, 1).flatten(1)
        varying = (spread.amax(1) > spread.amin(1)).nonzero().flatten().tolist()
        self._varying = torch.tensor(varying or list(range(logits.shape[1])))
        self._each = len(logits) // pictures
        self._pictures = pictures

    def pixels(self, allowed: torch.Tensor) -> _Pixels:
        """Pixels where ``allowed``; of a picture that has none, any."""
        # one of the rows of each picture: labels that overlap have one each
        rows = torch.arange(self._pictures) * self._each + self._below(self._each)
        allowed = allowed.flatten(1).cpu()
        flat = torch.tensor([self._pixel(self._masks[row].cpu(), allowed[row]) for row in rows])
        return _Pixels(rows, flat, self._masks[rows, flat])

    def channels(self) -> torch.Tensor:
        return self._varying[self._below(len(self._varying))]

    def _below(self, count: int) -> torch.Tensor:
        return torch.randint(count, (self._pictures,), generator=self._generator)

    def _pixel(self, mask: torch.Tensor, allowed: torch.Tensor) -> int:
        candidates = allowed if allowed.any() else torch.ones_like(allowed)
        label = self._one_of(mask[candidates].unique())
        return int(self._one_of((candidates & (mask == label)).nonzero().flatten()))

    def _one_of(self, values: torch.Tensor) -> torch.Tensor:
        return values[torch.randint(len(values), (), generator=self._generator)]
