# SPDX-License-Identifier: Apache-2.0
"""Are the gradients those of the network?"""

from __future__ import annotations

import copy

import torch

from pipeline.attacks import AttackedNetwork
from pipeline.utils import InputError

from .check import CheckResult, Evidence
from .probe import change, is_random, margins, output_of

__all__ = ["FiniteDifferences"]

DIRECTIONS = 4
# half the distance of two pictures, in grey levels: in float64, in float32
NEAR, NEAR_FLOAT32 = 1e-3, 0.25
UNIT, FAR = 1.0, 8.0
# the most that the median relative error may be
ALLOWED, ALLOWED_FLOAT32, ALLOWED_AT_UNIT = 0.05, 0.3, 0.8


class FiniteDifferences:
    """The gradient of each picture's mean margin says how much the margin changes, along four directions.

    Three directions are random, one is the gradient's own sign. A thousandth of a grey level apart, in float64, the
    two are equal but for kinks: a straight-through rounding, a detached branch or a changed gradient is not. One grey
    level apart the slope is still about right: gradients of a shattered function are not. Where the gradient is zero
    along a direction, nothing moves eight grey levels apart: rounding moves. The value is the median relative error.

    Example:
        >>> FiniteDifferences()(evidence).status
        'passed'
    """

    name = "gradient against finite differences"

    def __call__(self, evidence: Evidence) -> CheckResult:
        if is_random(evidence.attacked, evidence.picture):
            return CheckResult(
                self.name, "not applicable", None, "The network is random, so that no two passes can be compared."
            )
        twin = _in_float64(evidence.attacked, evidence.picture)
        attacked = evidence.attacked if twin is None else twin
        near, allowed = (NEAR_FLOAT32, ALLOWED_FLOAT32) if twin is None else (NEAR, ALLOWED)
        generator = torch.Generator().manual_seed(0)
        # away from the range's ends, where a network may clamp, and from whole numbers, which make kinks of maxima
        at = evidence.picture.clamp(FAR, 255 - FAR)
        at = at + (torch.rand(at.shape, generator=generator) / 2 - 0.25).to(at)
        at = at if twin is None else at.double()
        gradient = attacked.value_and_gradient(at, lambda logits: margins(attacked, logits, evidence.label).mean(1))[1]
        random = [torch.randint(2, at.shape, generator=generator).to(at) * 2 - 1 for _ in range(DIRECTIONS - 1)]
        directions = [gradient.sign(), *random]
        slopes = torch.stack([(gradient * direction).flatten(1).sum(1) for direction in directions])
        found = {
            reach: torch.stack([_slope(attacked, evidence.label, at, direction, reach) for direction in directions])
            for reach in (near, UNIT, FAR)
        }
        still = ((slopes == 0) & (found[FAR] != 0)).double().mean().item()
        errors = {reach: _error(slopes, found[reach]) for reach in (near, UNIT)}
        value = max(still, errors[near], errors[UNIT] if errors[UNIT] > ALLOWED_AT_UNIT else 0.0)
        said = f"Gradients differ from finite differences by {value:.2g} (median, relative)"
        if errors[near] <= allowed and errors[UNIT] <= ALLOWED_AT_UNIT and still <= 0.5:
            return CheckResult(self.name, "passed", value, f"{said}.")
        return CheckResult(
            self.name,
            "failed",
            value,
            f"{said}: something in the network rounds, cuts or changes them, attacks are led astray, and figures are "
            "too high.",
        )


def _in_float64(attacked: AttackedNetwork, picture: torch.Tensor) -> AttackedNetwork | None:
    """The same in float64; None for a network that cannot be copied so, or is another one then."""
    twin = copy.copy(attacked)
    try:
        twin.network = copy.deepcopy(attacked.network).double()
        output = output_of(twin, picture.double())
    except (InputError, RuntimeError, TypeError):
        return None
    return twin if output.dtype == torch.float64 and change(output_of(attacked, picture), output) < 0.01 else None


def _slope(
    attacked: AttackedNetwork, label: torch.Tensor, at: torch.Tensor, direction: torch.Tensor, reach: float
) -> torch.Tensor:
    """The change of each picture's mean margin for each grey level, (B,)."""
    ahead, behind = (
        margins(attacked, attacked.classes.logits(output_of(attacked, at + sign * reach * direction)), label).mean(1)
        for sign in (1, -1)
    )
    return (ahead - behind) / (2 * reach)


def _error(slopes: torch.Tensor, found: torch.Tensor) -> float:
    size = torch.maximum(slopes.abs(), found.abs())
    return torch.where(size > 0, (slopes - found).abs() / size, 0).median().item()
