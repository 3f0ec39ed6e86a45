# SPDX-License-Identifier: Apache-2.0
"""A figure of the report: its files, and what stands below it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DrawnFigure"]


@dataclass(frozen=True)
class DrawnFigure:
    """A figure of the report.

    Args:
        section: the part of the page that it belongs to: ``"pictures"``, ``"networks"``, ``"nlce"``, ``"ablation"`` or
            ``"claim"``.
        caption: what it shows.
        files: the same figure as PNG and PDF.
    """

    section: str
    caption: str
    files: list[Path]
