# SPDX-License-Identifier: Apache-2.0
"""What a check is, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from .evidence import Evidence

__all__ = ["Check", "CheckResult", "Status", "not_repeatable"]

Status = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class CheckResult:
    """What a check found: its number, and one sentence of what that means for the figures of the report."""

    name: str
    status: Status
    value: float | None
    meaning: str


def not_repeatable(name: str) -> CheckResult:
    """Return what a check that compares two passes says of a random network."""
    return CheckResult(name, "not applicable", None, "The network is random, so that no two passes can be compared.")


class Check(Protocol):
    """A check for masked gradients, or for anything else that makes figures of robustness look better than they are.

    ``name`` is short and in words, such as "forward passes agree". A check counts as failed only where the figures of
    the report can't be trusted because of what it found.
    """

    name: str

    def __call__(self, evidence: Evidence) -> CheckResult: ...
