# SPDX-License-Identifier: Apache-2.0
"""What a check is, what it gets, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import pandas as pd
import torch

from pipeline.attacks import AttackedNetwork

__all__ = ["Check", "CheckResult", "Evidence", "Status"]

Status = Literal["passed", "failed", "not applicable"]


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
    """

    attacked: AttackedNetwork
    picture: torch.Tensor
    label: torch.Tensor
    images: tuple[str, ...]
    scores: pd.DataFrame
    epsilons: tuple[float, ...]
    floor: float | None = None


@dataclass(frozen=True)
class CheckResult:
    """What a check found: its number, and one sentence of what that means for the figures of the report."""

    name: str
    status: Status
    value: float | None
    meaning: str


class Check(Protocol):
    """A check for masked gradients, or for anything else that makes figures of robustness look better than they are.

    ``name`` is short and in words, such as "forward passes agree". A check counts as failed only where the figures of
    the report can't be trusted because of what it found.
    """

    name: str

    def __call__(self, evidence: Evidence) -> CheckResult: ...
