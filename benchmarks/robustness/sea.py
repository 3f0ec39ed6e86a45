# SPDX-License-Identifier: Apache-2.0
"""SEA's own search, as its authors run it for evaluation."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from pipeline.attacks import APGD
from pipeline.attacks.gradient_attack import Ball

__all__ = ["ReferenceAPGD"]


class ReferenceAPGD(APGD):
    """APGD with two habits of SEA's evaluation (Croce et al., ECCV 2024, ``tools/infer.py``) that ours has not.

    Step sizes follow the cross-entropy of all pixels, whatever loss gives the gradient; and the next radius begins at
    the point with the most wrong pixels, not at that of the highest loss.
    """

    def _phase(self, ball: Ball, delta: torch.Tensor, radius: float, done: int, until: int) -> torch.Tensor:
        self._label = ball.label[:, 0].long()
        self._right = torch.full_like(self._label[:, 0, 0], self._label[0].numel() + 1)
        self._most_wrong = delta
        super()._phase(ball, delta, radius, done, until)
        return self._most_wrong

    def _look(self, ball: Ball, delta: torch.Tensor, step: int, radius: float) -> tuple[torch.Tensor, torch.Tensor]:
        slope = ball.look(delta, step / self.iterations, counts=radius <= 1)
        right = (slope.output.argmax(1) == self._label).flatten(1).sum(1)
        # the later of two that are alike, as SEA has it
        better = (right <= self._right).view(-1, 1, 1, 1)
        self._most_wrong = torch.where(better, delta, self._most_wrong)
        self._right = torch.minimum(right, self._right)
        entropy = F.cross_entropy(slope.output, self._label, reduction="none").flatten(1).sum(1)
        return -entropy, slope.gradient
