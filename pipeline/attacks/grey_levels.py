# SPDX-License-Identifier: Apache-2.0
"""The ball of ± ε around a picture, and checks of intensities and ranges."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from pipeline.utils import InputError

__all__ = [
    "Range",
    "Reach",
    "check_epsilons",
    "check_intensity_range",
    "check_picture",
    "check_range",
    "check_step",
    "project",
]

Range = tuple[float, float] | None
# ε in grey levels, of all images or of each, (B, 1, *spatial of 1)
Reach = float | torch.Tensor


def project(delta: torch.Tensor, picture: torch.Tensor, reach: Reach, value_range: Range) -> torch.Tensor:
    """Return the perturbation nearest to δ that moves no grey level by more than ``reach``, nor out of the range."""
    # torch takes two numbers or two tensors, which mypy cannot tell of a union
    delta = delta.clamp(-reach, reach)  # type: ignore[arg-type]
    if value_range is None:
        return delta
    low, high = value_range
    return torch.minimum(torch.maximum(delta, low - picture), high - picture)


def check_epsilons(epsilons: Sequence[float], at_most: float = math.inf) -> None:
    """Raise an ``InputError`` for intensities that are not above 0, do not rise, or leave ``at_most``."""
    if not isinstance(epsilons, Sequence):
        raise InputError(f"epsilons: a list of intensities in grey levels is needed, got {epsilons!r}.")
    if any(not epsilon > 0 for epsilon in epsilons):
        raise InputError(f"epsilons: every intensity must be above 0 grey levels, got {list(epsilons)}.")
    if any(math.isinf(epsilon) for epsilon in epsilons):
        raise InputError(f"epsilons must be finite, got {list(epsilons)}.")
    if any(larger <= smaller for smaller, larger in zip(epsilons, epsilons[1:])):  # noqa: B905
        raise InputError(f"epsilons: the intensities must rise and not repeat, got {list(epsilons)}.")
    if epsilons and epsilons[-1] > at_most:
        raise InputError(f"epsilons: a grey level can change by {at_most:g} at most, got {list(epsilons)}.")


def check_step(step: float) -> None:
    """Raise an ``InputError`` for a step that is not above 0."""
    if not 0 < step < math.inf:
        raise InputError(f"step: the step size must be finite and above 0, got {step}.")


def check_range(value_range: Range) -> None:
    """Raise an ``InputError`` for a range that does not rise."""
    if value_range is not None and not (len(value_range) == 2 and value_range[0] < value_range[1]):
        raise InputError(f"value_range: two grey levels are needed, the lower one first, or null, got {value_range}.")


def check_intensity_range(intensity_range: tuple[float, float]) -> None:
    """Raise an ``InputError`` for a range of the network's input that is not finite, or does not rise."""
    if not (len(intensity_range) == 2 and -math.inf < intensity_range[0] < intensity_range[1] < math.inf):
        raise InputError(f"intensity_range: two numbers are needed, the lower one first, got {intensity_range}.")


def check_picture(picture: torch.Tensor, value_range: Range) -> None:
    """Raise an ``InputError`` for a picture whose grey levels leave the range."""
    if value_range is not None and picture.numel():
        low, high = value_range
        lowest, highest = picture.min().item(), picture.max().item()
        if not (low <= lowest and highest <= high):
            raise InputError(
                f"image: grey levels from {lowest} to {highest} leave the value range {low} to {high}; "
                "give the picture in grey levels of 0 to 255."
            )
