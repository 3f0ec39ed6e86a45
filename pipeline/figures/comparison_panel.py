# SPDX-License-Identifier: Apache-2.0
"""Pictures of several networks under attack in one figure."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from .paper_style import STYLE, WIDTH, save_figure
from .pictures import MAP, dic, outline, show_picture

__all__ = ["AttackedPicture", "save_attack_panel", "save_prediction_panel"]

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.integer]


@dataclass(frozen=True)
class AttackedPicture:
    """One picture under attack against one network.

    Args:
        title: the network's name.
        image: (C, H, W) in grey levels of 0 to 255, C being 1 or 3.
        label: (H, W), 0 or 1.
        delta: (C, H, W), the perturbation in grey levels.
        adversarial: (H, W), prediction on ``image + delta``.
        clean: (H, W), prediction on ``image``.
    """

    title: str
    image: Array
    label: Mask
    delta: Array
    adversarial: Mask
    clean: Mask


@rc_context(STYLE)
def save_attack_panel(pictures: Sequence[AttackedPicture], epsilon: float, stem: str | os.PathLike[str]) -> list[Path]:
    """Draw one picture under attack against several networks, one column each (the paper's Figure 1).

    The rows are the input and its mask, perturbations, adversarial pictures, predictions on these and on the input.

    Args:
        pictures: the same picture for each network.
        epsilon: intensity in grey levels, by which the perturbation is scaled.
        stem: path of the files to write, without ending.

    Returns:
        The files written, PNG and PDF.
    """
    columns = max(len(pictures), 2)
    cell = min(1.35, (WIDTH - 0.4) / columns)
    figure = Figure(
        figsize=(columns * cell + 0.4, 5 * cell + 0.75),
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, compress=True),
    )
    axes = figure.subplots(5, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    first = pictures[0]
    start = (columns - 2) // 2
    show_picture(axes[0, start], first.image, "input")
    show_picture(axes[0, start + 1], np.stack([255 * first.label]), "ground truth")
    for column, picture in enumerate(pictures):
        attacked = picture.image + picture.delta
        show_picture(axes[1, column], 127.5 + picture.delta * (127.5 / epsilon), _wrapped(picture.title, cell))
        show_picture(axes[2, column], attacked)
        _show_prediction(axes[3, column], picture.label, picture.adversarial)
        _show_prediction(axes[4, column], picture.label, picture.clean)
    labels = (
        f"perturbation\n−{epsilon:g} black, +{epsilon:g} white",
        f"adversarial,\nε = {epsilon:g}",
        f"prediction,\nε = {epsilon:g}",
        "prediction,\nclean",
    )
    for row, label in enumerate(labels, start=1):
        axes[row, 0].text(
            -0.06, 0.5, label, transform=axes[row, 0].transAxes, rotation=90, ha="right", va="center", fontsize=7
        )
    _add_legend(figure)
    return save_figure(figure, stem)


@rc_context(STYLE)
def save_prediction_panel(rows: Sequence[Sequence[AttackedPicture]], stem: str | os.PathLike[str]) -> list[Path]:
    """Draw what several networks predict under attack, one picture to a row (the paper's Figure 6).

    Args:
        rows: for each picture its attacks against the networks, these in the same order in every row.
        stem: path of the files to write, without ending.

    Returns:
        The files written, PNG and PDF.
    """
    columns = len(rows[0]) + 1
    cell = min(1.35, WIDTH / columns)
    titles = [_wrapped(picture.title, cell) for picture in rows[0]]
    more_lines = max(title.count("\n") for title in titles)
    figure = Figure(
        figsize=(columns * cell, len(rows) * (cell + 0.15) + 0.45 + 0.12 * more_lines),
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, compress=True),
    )
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, pictures in enumerate(rows):
        show_picture(axes[row, 0], pictures[0].image, "" if row else "input")
        outline(axes[row, 0], pictures[0].label)
        for column, (picture, title) in enumerate(zip(pictures, titles, strict=True), start=1):
            axis = axes[row, column]
            _show_prediction(axis, picture.label, picture.adversarial)
            axis.set_title("" if row else title)
    _add_legend(figure)
    return save_figure(figure, stem)


def _wrapped(title: str, width: float) -> str:
    """Break a title into lines of ``width`` inches."""
    return textwrap.fill(title, max(8, round(14 * width)))


def _show_prediction(axis: Axes, label: Mask, prediction: Mask) -> None:
    colors = np.zeros((3, *label.shape))
    for (predicted, true), (color, _) in MAP.items():
        colors[:, (prediction == predicted) & (label == true)] = np.array(to_rgb(color))[:, None]
    show_picture(axis, 255 * colors)
    axis.text(
        0.5, -0.02, f"DIC {dic(prediction, label):.3f}", transform=axis.transAxes, ha="center", va="top", fontsize=7
    )


def _add_legend(figure: Figure) -> None:
    patches = [Patch(facecolor=color, edgecolor="#777777", linewidth=0.5, label=name) for color, name in MAP.values()]
    # a narrow figure has no room for all four side by side
    columns = len(patches) if figure.get_figwidth() > 5 else 2
    figure.legend(
        handles=patches, loc="outside lower center", ncols=columns, frameon=False, handlelength=1.2, columnspacing=1
    )
