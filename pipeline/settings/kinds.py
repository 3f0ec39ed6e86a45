# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

__all__ = [
    "Device",
    "Function",
    "Kind",
    "ListOf",
    "Name",
    "Number",
    "OneOf",
    "OrNull",
    "Section",
    "Switch",
    "Text",
    "Whole",
]


class Kind(Protocol):
    """What a setting may be: ``needed`` says it in words, ``read`` returns a value of that kind.

    ``read`` takes what the command line or Python gives and raises ``ValueError`` for what is not of the kind.
    """

    @property
    def needed(self) -> str: ...

    def read(self, value: Any) -> Any: ...


@dataclass(frozen=True)
class Switch:
    """True or false, in any case, as a boolean or as text; 1 and 0."""

    needed: str = "true or false"

    def read(self, value: Any) -> bool:
        text = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
        if text not in ("true", "false", "1", "0"):
            raise ValueError(value)
        return text in ("true", "1")


@dataclass(frozen=True)
class Whole:
    """A whole number from ``least`` to ``most``."""

    least: int | None = None
    most: int | None = None

    @property
    def needed(self) -> str:
        return _limited("a whole number", self.least, self.most)

    def read(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(value)
        return _within(value, self.least, self.most)


@dataclass(frozen=True)
class Number:
    """A finite number from ``least`` to ``most``, or above ``above``."""

    least: float | None = None
    most: float | None = None
    above: float | None = None

    @property
    def needed(self) -> str:
        if self.above is None:
            return _limited("a number", self.least, self.most)
        return f"a number above {self.above:g}" + ("" if self.most is None else f" and of at most {self.most:g}")

    def read(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(value)
        if self.above is not None and not value > self.above:
            raise ValueError(value)
        return float(_within(value, self.least, self.most))


@dataclass(frozen=True)
class Text:
    """Text, such as a name or a path; empty text only where ``empty`` allows it.

    The command line turns ``2024`` and ``2024.10`` into numbers, and the second one loses its zero on the way: a number
    is refused.
    """

    empty: bool = False
    needed: str = "text"

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or not (self.empty or value.strip()):
            raise ValueError(value)
        return value


@dataclass(frozen=True)
class Name:
    """Text that can be part of a folder's name."""

    needed: str = "a name of letters, digits, - and _"

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"[\w\-]{1,100}", value):
            raise ValueError(value)
        return value


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[Any, ...]

    @property
    def needed(self) -> str:
        return " or ".join(map(str, self.values))

    def read(self, value: Any) -> Any:
        if isinstance(value, bool) or value not in self.values:
            raise ValueError(value)
        return value


@dataclass(frozen=True)
class ListOf:
    """A list of ``kind``, of anything where that is None, with ``length`` entries if that is given."""

    kind: Kind | None = None
    length: int | None = None
    example: str = ""
    empty: bool = True

    @property
    def needed(self) -> str:
        such = f" such as {self.example}" if self.example else ""
        least = ", not empty," if not self.empty else ""
        entries = least if self.length is None else f" of {self.length} entries"
        return f"a list{entries}{such}" + ("" if self.kind is None else f", each entry {self.kind.needed}")

    def read(self, value: Any) -> list[Any]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(value)
        if not (value or self.empty) or (self.length is not None and len(value) != self.length):
            raise ValueError(value)
        return [entry if self.kind is None else self.kind.read(entry) for entry in value]


@dataclass(frozen=True)
class Section:
    """A section of the configuration, or a component."""

    needed: str = "a section, {...}"

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(value)
        return value


@dataclass(frozen=True)
class Function:
    """A function, which only an expression gives."""

    needed: str = 'a function, as an expression such as "$lambda engine: ()"'

    def read(self, value: Any) -> Any:
        if not callable(value):
            raise ValueError(value)
        return value


@dataclass(frozen=True)
class OrNull:
    """Another kind, or nothing: null, None."""

    kind: Kind

    @property
    def needed(self) -> str:
        return f"{self.kind.needed}, or null"

    def read(self, value: Any) -> Any:
        if value is None or (isinstance(value, str) and value.strip().lower() in ("null", "none")):
            return None
        return self.kind.read(value)


@dataclass(frozen=True)
class Device:
    """A device of this machine; its value is the expression that makes it."""

    needed: str = "a device that this machine has, such as cpu or cuda:0"

    def read(self, value: Any) -> str:
        try:
            device = torch.device(value)
            torch.zeros(1, device=device).item()  # a value comes back: the device "meta" has none
        # what torch raises for a device that is none, or is not here, has no common class
        except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
            raise ValueError(value) from error
        return f"$torch.device('{device}')"


def _limited(what: str, least: float | None, most: float | None) -> str:
    if least is None:
        return what
    return f"{what} of at least {least}" if most is None else f"{what} from {least} to {most}"


def _within(value: Any, least: float | None, most: float | None) -> Any:
    if (least is not None and value < least) or (most is not None and value > most):
        raise ValueError(value)
    return value
