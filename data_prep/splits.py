# SPDX-License-Identifier: Apache-2.0
"""Splits into training and test."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from pipeline.utils import InputError

__all__ = ["split_by_file", "split_by_fraction", "split_odd_even"]

Split = tuple[list[str], list[str]]


def split_odd_even(names: Sequence[str]) -> Split:
    """Return the first, third, ... of the sorted names for training, and the second, fourth, ... for the test."""
    ordered = sorted(names)
    return ordered[0::2], ordered[1::2]


def split_by_fraction(names: Sequence[str], test_fraction: float, seed: int) -> Split:
    """Draw ``round(test_fraction * len(names))`` names for the test, the same ones for the same names and seed.

    Raises:
        InputError: if the fraction is not between 0 and 1.
    """
    if not 0 < test_fraction < 1:
        raise InputError(f"The test fraction must lie between 0 and 1, got {test_fraction}.")
    ordered = sorted(names)
    test = set(random.Random(seed).sample(ordered, round(test_fraction * len(ordered))))
    return [name for name in ordered if name not in test], sorted(test)


def split_by_file(names: Sequence[str], path: Path) -> Split:
    """Read the split from a JSON file ``{"training": [names], "test": [names]}``, names without endings.

    Args:
        names: those of the pictures, accented letters as one character (NFC). The file may write them as two.
        path: the file.

    Raises:
        InputError: if the file is not of this form, names what is not there, leaves a name out or gives it twice.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        training, test = (_names(content[section]) for section in ("training", "test"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f'The split file {path} cannot be read; it must be {{"training": [names], "test": [names]}} ({error}).'
        ) from error
    given = training + test
    twice = sorted({name for name in given if given.count(name) > 1})
    unknown = sorted(set(given) - set(names))
    left_out = sorted(set(names) - set(given))
    for wrong, what in (
        (twice, "gives names twice"),
        (unknown, "gives names that have no picture"),
        (left_out, "leaves names out"),
    ):
        if wrong:
            raise InputError(f"The split file {path} {what} ({len(wrong)}, the first is {wrong[0]}).")
    return sorted(training), sorted(test)


def _names(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"no list of names: {names!r}")
    return [normalize("NFC", name) for name in names]
