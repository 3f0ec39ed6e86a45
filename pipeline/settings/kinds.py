# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

__all__ = [
    "DEVICE",
    "NAME",
    "SECTION",
    "SWITCH",
    "Kind",
    "list_of",
    "number",
    "one_of",
    "or_null",
    "text",
    "whole",
]


@dataclass(frozen=True)
class Kind:
    """What a setting may be. The functions below give the same one for the same arguments.

    Attributes:
        needed: says it in words.
        fits: whether a value, as the command line or Python gives it, is of the kind. It may raise ``ValueError`` where
            it is not.
        convert: from a value that fits to what the bundle gets.
        is_text: whether values are text, and ``true`` on the command line is none but that.
    """

    needed: str
    fits: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value
    is_text: bool = False

    def read(self, value: Any) -> Any:
        """Return a value of this kind; raise ``ValueError`` for what is not of it."""
        if not self.fits(value):
            raise ValueError(value)
        return self.convert(value)


@cache
def whole(least: int | None = None, most: int | None = None) -> Kind:
    """A whole number from ``least`` to ``most``."""
    return Kind(
        _limited("a whole number", least, most),
        lambda value: isinstance(value, int) and not isinstance(value, bool) and _is_within(value, least, most),
    )


@cache
def number(least: float | None = None, most: float | None = None, above: float | None = None) -> Kind:
    """A finite number from ``least`` to ``most``, or above ``above``."""
    needed = _limited("a number", least, most)
    if above is not None:
        needed = f"a number above {above:g}" + ("" if most is None else f" and of at most {most:g}")

    def fits(value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return is_number and (above is None or value > above) and _is_within(value, least, most)

    return Kind(needed, fits, float)


@cache
def text(empty: bool = False) -> Kind:
    """Text, such as a name or a path; empty text only where ``empty`` allows it.

    The command line turns ``2024`` and ``2024.10`` into numbers, and the second one loses its zero on the way: a number
    is refused.
    """
    return Kind("text", lambda value: isinstance(value, str) and bool(empty or value.strip()), is_text=True)


@cache
def one_of(*values: Any) -> Kind:
    """One of some values."""
    needed = " or ".join(map(str, values))
    return Kind(needed, lambda value: not isinstance(value, bool) and value in values)


@cache
def list_of(kind: Kind | None = None, length: int | None = None, example: str = "", empty: bool = True) -> Kind:
    """A list of ``kind``, of anything where that is None, with ``length`` entries if that is given."""
    such = f" such as {example}" if example else ""
    least = ", not empty," if not empty else ""
    entries = least if length is None else f" of {length} entries"

    def fits(value: Any) -> bool:
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return is_list and bool(value or empty) and length in (None, len(value))

    return Kind(
        f"a list{entries}{such}" + ("" if kind is None else f", each entry {kind.needed}"),
        fits,
        lambda value: [entry if kind is None else kind.read(entry) for entry in value],
    )


@cache
def or_null(kind: Kind) -> Kind:
    """Another kind, or nothing: null, None."""

    def is_null(value: Any) -> bool:
        return value is None or (isinstance(value, str) and value.strip().lower() in ("null", "none"))

    return Kind(
        f"{kind.needed}, or null",
        lambda value: is_null(value) or kind.fits(value),
        lambda value: None if is_null(value) else kind.convert(value),
    )


def _word(value: Any) -> str:
    return str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""


def _is_device(value: Any) -> bool:
    try:
        torch.zeros(1, device=torch.device(value)).item()  # a value comes back: the device "meta" has none
    # what torch raises for a device that is none, or is not here, has no common class
    except (RuntimeError, AssertionError, TypeError, NotImplementedError):
        return False
    return True


# true or false, in any case, as a boolean or as text; 1 and 0
SWITCH = Kind(
    "true or false",
    lambda value: _word(value) in ("true", "false", "1", "0"),
    lambda value: _word(value) in ("true", "1"),
)
# text that can be part of a folder's name
NAME = Kind(
    "a name of letters, digits, - and _",
    lambda value: isinstance(value, str) and re.fullmatch(r"[\w\-]{1,100}", value) is not None,
)
# a section of the configuration, or a component
SECTION = Kind("a section, {...}", lambda value: isinstance(value, dict))
# a device of this machine; its value is the expression that makes it
DEVICE = Kind(
    "a device that this machine has, such as cpu or cuda:0",
    _is_device,
    lambda value: f"$torch.device('{torch.device(value)}')",
)


def _limited(what: str, least: float | None, most: float | None) -> str:
    if least is None:
        return what
    return f"{what} of at least {least}" if most is None else f"{what} from {least} to {most}"


def _is_within(value: Any, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)
