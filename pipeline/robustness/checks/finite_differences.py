# SPDX-License-Identifier: Apache-2.0
"""Are the gradients those of the network?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from pipeline.attacks import AttackedNetwork
from pipeline.utils import InputError

from ..copy_network import copy_network
from .check import CheckResult, not_repeatable
from .evidence import Evidence
from .outputs import change, output_of
from .probe import SOFT_DICE, margins

__all__ = ["FiniteDifferences"]

DIRECTIONS = 4
# half the distance of two pictures, in grey levels
TINY, NEAR, UNIT, FAR = 1e-6, 1e-3, 1.0, 8.0
# the most that the relative error may be: near, a grey level apart in the median, and along the gradient's sign
ALLOWED, ALLOWED_AT_UNIT, ALLOWED_ALONG = 0.05, 0.8, 0.6

Measure = Callable[[torch.Tensor], torch.Tensor]


class FiniteDifferences:
    """The gradients of each picture's mean margin, and of its soft Dice, say how much these change.

    Of four directions three are random, one is the gradient's own sign. A thousandth of a grey level apart, in float64,
    the two are equal but for kinks: a straight-through rounding, a detached branch or a changed gradient is not, nor
    one that is right only where all pixels have the same weight. One grey level apart the slope of the margin is still
    about right: gradients of a shattered function are not. Where its gradient is zero along a direction, nothing moves
    eight grey levels apart: rounding moves. The value is the relative error, the median over directions, of the picture
    where it is largest. A network that cannot be had in float64, such as one that computes in bfloat16, rounds too much
    for small distances: it is asked for its margin one grey level along the gradient's sign.

    Example:
        >>> FiniteDifferences()(evidence).status
        'passed'
    """

    name = "gradient against finite differences"

    def __call__(self, evidence: Evidence) -> CheckResult:
        if evidence.is_random:
            return not_repeatable(self.name)
        twin = _in_float64(evidence.attacked, evidence.picture)
        attacked = evidence.attacked if twin is None else twin
        generator = torch.Generator().manual_seed(0)
        # away from the range's ends, where a network may clamp, and from whole numbers, which make kinks of maxima
        at = evidence.picture.clamp(FAR, 255 - FAR)
        at = at + (torch.rand(at.shape, generator=generator) / 2 - 0.25).to(at)
        at = at if twin is None else at.double()
        random = [torch.randint(2, at.shape, generator=generator).to(at) * 2 - 1 for _ in range(DIRECTIONS - 1)]
        of_margin = _Slopes(attacked, _mean_margin(evidence), at, random)
        if twin is None:
            error, allowed = of_margin.errors(UNIT)[0].max().item(), ALLOWED_ALONG
        else:
            both = (of_margin, _Slopes(attacked, _soft_dice(evidence), at, random))
            error, allowed = _largest(both, NEAR), ALLOWED
        at_unit = of_margin.errors(UNIT).median().item()
        still = ((of_margin.expected == 0) & (of_margin.found(FAR) != 0)).double().mean(0).max().item()
        value = max(still, error, at_unit if at_unit > ALLOWED_AT_UNIT else 0.0)
        said = f"Gradients differ from finite differences by {value:.2g} (relative, on the worst picture)"
        if error <= allowed and at_unit <= ALLOWED_AT_UNIT and still <= 0.5:
            return CheckResult(self.name, "passed", value, f"{said}.")
        why = "something in the network rounds, cuts or changes them"
        if twin is not None and still <= 0.5 and _largest(both, TINY) <= ALLOWED:
            why = "they are right, but for a small part of a grey level only, and attacks take longer steps"
        return CheckResult(
            self.name, "failed", value, f"{said}: {why}. So attacks are led astray, and figures are too high."
        )


class _Slopes:
    """How much a measure of the logits changes with each grey level along directions, by gradients and as it does."""

    def __init__(
        self, attacked: AttackedNetwork, measure: Measure, at: torch.Tensor, random: Sequence[torch.Tensor]
    ) -> None:
        self._attacked, self._measure, self._at = attacked, measure, at
        gradient = attacked.value_and_gradient(at, measure).gradient
        self._directions = [gradient.sign(), *random]
        self.expected = torch.stack([(gradient * direction).flatten(1).sum(1) for direction in self._directions])

    def found(self, reach: float) -> torch.Tensor:
        """The change between pictures ``reach`` grey levels ahead and behind, (directions, B)."""
        ahead, behind = (
            torch.stack([self._value(self._at + sign * reach * direction) for direction in self._directions])
            for sign in (1, -1)
        )
        return (ahead - behind) / (2 * reach)

    def errors(self, reach: float) -> torch.Tensor:
        """The relative errors, (directions, B)."""
        found = self.found(reach)
        size = torch.maximum(self.expected.abs(), found.abs())
        return torch.where(size > 0, (self.expected - found).abs() / size, 0)

    def _value(self, pictures: torch.Tensor) -> torch.Tensor:
        return self._measure(self._attacked.classes.logits(output_of(self._attacked, pictures)))


def _largest(slopes: Sequence[_Slopes], reach: float) -> float:
    """The largest error over measures and pictures, each the median over directions."""
    return max(each.errors(reach).median(0).values.max().item() for each in slopes)


def _mean_margin(evidence: Evidence) -> Measure:
    return lambda logits: margins(evidence.attacked, logits, evidence.label).mean(1)


def _soft_dice(evidence: Evidence) -> Measure:
    masks = evidence.attacked.classes.target(evidence.label)
    return lambda logits: SOFT_DICE(logits, masks).reshape(len(evidence.label), -1).mean(1)


def _in_float64(attacked: AttackedNetwork, picture: torch.Tensor) -> AttackedNetwork | None:
    """The same in float64; None for a network that cannot be copied so, or is another one then."""
    network = copy_network(attacked.network)
    if network is None:
        return None
    try:
        twin = attacked.like(network.double())
        output = output_of(twin, picture.double())
    except (InputError, RuntimeError, TypeError):
        return None
    return twin if output.dtype == torch.float64 and change(output_of(attacked, picture), output) < 0.01 else None
