# SPDX-License-Identifier: Apache-2.0
"""The gallery of failures: input, perturbation and attacked picture with the masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.figures.paper_style import STYLE, WIDTH
from pipeline.figures.pictures import PREDICTED, TRUE, show_picture
from pipeline.robustness.assessment import GalleryPicture
from pipeline.utils import atomic_path

__all__ = ["save_gallery_picture"]

DPI = 150


@rc_context(STYLE)
def save_gallery_picture(shown: GalleryPicture, path: Path) -> None:
    """Draw a failure: the picture and the attacked one with true and predicted mask, the perturbation between them.

    The perturbation is stretched, which its title says: black is -ε, grey is no change, white is +ε.

    Args:
        shown: the failure.
        path: the picture file to write.
    """
    height, width = shown.picture.shape[1:]
    figure = Figure(figsize=(WIDTH, WIDTH / 3 * height / width + 0.75), layout="compressed")
    axes = figure.subplots(1, 3)
    stretch = 127.5 / shown.epsilon
    show_picture(axes[0], shown.picture, f"input, DIC {shown.clean_DIC:.3f}")
    _outline(axes[0], shown.clean_prediction, PREDICTED)
    _outline(axes[0], shown.label, TRUE)
    delta = shown.adversarial - shown.picture
    show_picture(
        axes[1], 127.5 + stretch * delta, f"perturbation × {stretch:.3g},\n±{shown.epsilon:g} of 255 grey levels"
    )
    show_picture(axes[2], shown.adversarial, f"attacked, ε = {shown.epsilon:g}, DIC {shown.DIC:.3f}")
    _outline(axes[2], shown.prediction, PREDICTED)
    _outline(axes[2], shown.label, TRUE)
    for axis in axes:
        axis.set_axis_off()
    lines = {"mask": TRUE, "predicted": PREDICTED}
    handles = [Line2D([], [], color=color, linewidth=1.2, label=name) for name, color in lines.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def _outline(axis: Axes, classes: np.ndarray, color: str) -> None:
    """Outline each class but the background."""
    for number in np.unique(classes):
        inside = (classes == number).astype(float)
        if number > 0 and inside.min() < 1:
            axis.contour(inside, levels=[0.5], colors=color, linewidths=1.0)
