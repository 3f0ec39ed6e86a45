# SPDX-License-Identifier: Apache-2.0
"""Curves of several networks in one figure."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .paper_style import LINES, STYLE, WIDTH, save_figure

__all__ = ["Curve", "CurvePanel", "save_comparison_curves"]


@dataclass(frozen=True)
class Curve:
    """One line: a mean score against ε.

    Args:
        label: its name in the legend.
        line: which of ``LINES`` it is drawn with, so that a network looks the same in every figure.
        epsilons: intensities, rising.
        mean: mean score at each.
        deviation: half the width of the band at each; None for no band.
    """

    label: str
    line: int
    epsilons: Sequence[float]
    mean: Sequence[float]
    deviation: Sequence[float] | None = None


@dataclass(frozen=True)
class CurvePanel:
    """One small diagram.

    Args:
        metric: name of the score, in [0, 1].
        curves: its lines.
        title: what stands above it.
        markers: from ε to a score of others, drawn as stars.
    """

    metric: str
    curves: Sequence[Curve]
    title: str = ""
    markers: Mapping[float, float] = field(default_factory=dict)


@rc_context(STYLE)
def save_comparison_curves(
    panels: Sequence[CurvePanel], stem: str | os.PathLike[str], columns: int, marker_label: str, epsilon_label: str
) -> list[Path]:
    """Draw scores against ε in a grid of diagrams with one legend (the paper's Figures 4, 5, 7 and 8).

    Args:
        panels: the diagrams, row by row.
        stem: path of the files to write, without ending.
        columns: diagrams in a row.
        marker_label: name of the markers in the legend.
        epsilon_label: what stands below the diagrams: ε and its unit.

    Returns:
        The files written, PNG and PDF.
    """
    rows = -(-len(panels) // columns)
    width = WIDTH / columns
    figure = Figure(figsize=(WIDTH, rows * min(2.5, 1.15 * width) + 0.7), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    largest = max(epsilon for panel in panels for curve in panel.curves for epsilon in curve.epsilons)
    for index, panel in enumerate(panels):
        axis = axes.flat[index]
        _draw(axis, panel, marker_label)
        axis.set_title(textwrap.fill(panel.title, max(12, round(14 * width))))
        if index % columns == 0 or panel.metric != panels[index - 1].metric:
            axis.set_ylabel(panel.metric)
        if index + columns >= len(panels):
            axis.tick_params(labelbottom=True)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    axes[0, 0].set(xlim=(-0.03 * largest, 1.03 * largest), ylim=(-0.02, 1.02), yticks=np.linspace(0, 1, 6))
    if largest == 32:
        axes[0, 0].set_xticks(range(0, 33, 8 if columns < 4 else 16))
    figure.supxlabel(epsilon_label, fontsize=STYLE["axes.labelsize"])
    entries = {
        label: handle
        for axis in axes.flat[: len(panels)]
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    # one row or two full ones, more where the names are long: inches of a line with its gaps, and of a letter
    length = sum(0.66 + 0.06 * len(label) for label in entries)
    in_a_row = -(-len(entries) // max(1 if len(entries) <= 5 else 2, math.ceil(length / WIDTH)))
    figure.legend(
        entries.values(), entries.keys(), loc="outside upper center", ncols=in_a_row, frameon=False, handlelength=3.6
    )
    return save_figure(figure, stem)


def _draw(axis: Axes, panel: CurvePanel, marker_label: str) -> None:
    for curve in panel.curves:
        line = {"linewidth": 1.2, "markersize": 3, "markeredgewidth": 0.7} | LINES[curve.line % len(LINES)]
        if curve.deviation is not None:
            mean, deviation = np.array(curve.mean), np.array(curve.deviation)
            axis.fill_between(
                curve.epsilons, mean - deviation, mean + deviation, color=line["color"], alpha=0.18, linewidth=0
            )
        axis.plot(curve.epsilons, curve.mean, label=curve.label, **line)
    if panel.markers:
        axis.plot(
            list(panel.markers),
            list(panel.markers.values()),
            linestyle="none",
            marker="*",
            markersize=7.5,
            markerfacecolor="#F0E442",
            markeredgecolor="black",
            markeredgewidth=0.7,
            label=marker_label,
            clip_on=False,
            zorder=4,
        )
    axis.grid(alpha=0.25, linewidth=0.5)
