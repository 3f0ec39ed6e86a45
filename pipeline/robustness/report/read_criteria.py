# SPDX-License-Identifier: Apache-2.0
"""Acceptance criteria as users write them: objects, or dictionaries as a configuration has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.robustness.assessment import Criterion
from pipeline.utils import InputError

__all__ = ["read_criteria"]

NEEDED = {"epsilon", "at_least"}
KNOWN = NEEDED | {"metric", "share"}


def read_criteria(given: Sequence[Criterion | Mapping[str, Any]]) -> tuple[Criterion, ...]:
    """Return acceptance criteria, made of dictionaries.

    Each has ``epsilon`` and ``at_least``; ``metric`` if it is not DIC; ``share`` if it is not of the mean.

    Args:
        given: such dictionaries, as docs/robustness.md shows them, or criteria, which stay as they are.

    Raises:
        InputError: if they are no list, one is neither, lacks a key or has an unknown one, or a value is wrong.

    Example:
        >>> read_criteria([{"epsilon": 8.0, "at_least": 0.8}])
        (Criterion(epsilon=8.0, at_least=0.8, metric='DIC', share=None),)
    """
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise InputError(f"criteria: a list is needed, such as [{{'epsilon': 8.0, 'at_least': 0.8}}], got {given!r}.")
    return tuple(each if isinstance(each, Criterion) else _criterion(each) for each in given)


def _criterion(given: Any) -> Criterion:
    if not isinstance(given, Mapping) or not NEEDED <= given.keys() <= KNOWN:
        raise InputError(
            "criteria: each needs 'epsilon' and 'at_least', and may have 'metric' and 'share', such as "
            f"{{'epsilon': 8.0, 'at_least': 0.8}}, got {given!r}."
        )
    return Criterion(**given)
