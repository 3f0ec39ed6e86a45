# SPDX-License-Identifier: Apache-2.0
"""The style of the comparison's figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from pipeline.utils import atomic_path

__all__ = ["LINES", "STYLE", "WIDTH", "save_figure"]

# inches: a full page of two columns
WIDTH = 7.0

# matplotlib's own sans font, so that a figure is the same on every machine; type 42 keeps it text in the PDF
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 7.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
}

# Okabe and Ito's colors, which everybody can tell apart; in grey, dashes and markers do
LINES: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "linestyle": "-", "marker": "o", "linewidth": 1.8},
    {"color": "#E69F00", "linestyle": (0, (5, 1.5)), "marker": "s"},
    {"color": "#009E73", "linestyle": (0, (4, 1.2, 1, 1.2)), "marker": "^"},
    {"color": "#D55E00", "linestyle": (0, (1.2, 1)), "marker": "D"},
    {"color": "#CC79A7", "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#56B4E9", "linestyle": (0, (7, 2)), "marker": "P"},
    {"color": "#333333", "linestyle": (0, (2.5, 1.2)), "marker": "o", "markerfacecolor": "white"},
    {"color": "#8B5A2B", "linestyle": (0, (1, 0.6, 4, 0.6)), "marker": "X"},
    {"color": "#7A7A00", "linestyle": (0, (6, 1, 1, 1, 1, 1)), "marker": "<"},
)


def save_figure(figure: Figure, stem: str | os.PathLike[str]) -> list[Path]:
    """Write ``figure`` as ``<stem>.png`` (300 dpi) and ``<stem>.pdf``, the same bytes for the same figure."""
    written = []
    # a layout knows only after its first draw how high wrapped titles are
    with rc_context(STYLE):
        figure.draw_without_rendering()
    for ending, options in ((".png", {"dpi": 300}), (".pdf", {"dpi": 300, "metadata": {"CreationDate": None}})):
        path = Path(f"{os.fspath(stem)}{ending}")
        with atomic_path(path) as temporary, rc_context(STYLE):
            figure.savefig(temporary, **options)
        written.append(path)
    return written
