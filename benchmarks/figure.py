# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """One measured number and what it must reach.

    Args:
        what: what was measured.
        value: the number; None if it could not be measured, and ``note`` says why.
        unit: of the number and its bounds.
        samples: the single measurements behind the number.
        at_least: the lowest good value, if there is one.
        at_most: the highest good value, if there is one.
        note: what a reader must know beside.
    """

    what: str
    value: float | None
    unit: str = ""
    samples: tuple[float, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the number is within its bounds; None without a number or without bounds."""
        if self.value is None or (self.at_least is None and self.at_most is None):
            return None
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)
