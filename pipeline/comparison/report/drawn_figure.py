# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DrawnFigure", "not_measured"]


@dataclass(frozen=True)
class DrawnFigure:
    """A figure of the report.

    Args:
        section: the part of the page that it belongs to: ``"pictures"``, ``"networks"``, ``"nlce"``, ``"ablation"`` or
            ``"claim"``.
        caption: what it shows, and what is missing in it.
        files: the same figure as PNG and PDF.
    """

    section: str
    caption: str
    files: list[Path]


def not_measured(titles: Iterable[str]) -> str:
    """Return the end of a caption that names what a figure lacks; empty if it lacks nothing."""
    names = ", ".join(titles)
    return f" Not measured: {names}." if names else ""
