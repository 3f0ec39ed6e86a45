# SPDX-License-Identifier: Apache-2.0
"""One picture under attack at several intensities."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from skimage.transform import resize

from pipeline.utils import atomic_path

from .pictures import PREDICTED, TRUE, dic, outline, show_picture

__all__ = ["save_panel"]

SHOWN_EPSILONS = (0.5, 2.0, 8.0, 16.0, 32.0)
OPACITY = 0.45
CELL = 2.1  # inches


@rc_context({"axes.titlesize": 8, "legend.fontsize": 8})
def save_panel(
    pictures: str | os.PathLike[str], path: str | os.PathLike[str], grey_level: float = 1.0, title: str = ""
) -> None:
    """Draw one image under attack (the paper's Figures 1 and 6): perturbation, adversarial picture and prediction.

    Perturbations are stretched, so that what nobody would see becomes visible: black is −ε, grey is no change, white is
    +ε. The title of each says by how much.

    Args:
        pictures: file of ``AdversarialEvaluation``'s ``save_dir``.
        path: the picture file to write.
        grey_level: what ε counts, in grey levels of 255.
        title: what stands above the panel: the names of network and image.
    """
    with np.load(pictures) as content:
        image, label, delta = content["image"], content["label"], content["delta"]
        epsilons, prediction = content["epsilons"], content["prediction"]
    shown = _shown(epsilons)
    width = CELL * (len(shown) + 1)
    figure = Figure(figsize=(width, 3 * CELL + 0.9), layout="compressed")
    # as many letters as fit into the width
    figure.suptitle(textwrap.fill(title, int(9 * width)), fontsize=10)
    axes = figure.subplots(3, len(shown) + 1, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    show_picture(axes[0, 0], image, "input")
    show_picture(axes[1, 0], np.stack([255 * label] * 3), "mask")
    _show_mask(axes[2, 0], image, label, prediction[0])
    axes[2, 0].set_title(f"clean, DIC {dic(prediction[0], label):.3f}")
    for column, index in enumerate(shown, start=1):
        epsilon, reach = epsilons[index], epsilons[index] * grey_level
        stretch = 127.5 / reach
        show_picture(axes[0, column], 127.5 + delta[index] * stretch, _perturbation_title(reach, stretch))
        show_picture(axes[1, column], image + delta[index], f"adversarial, ε = {epsilon:g}")
        _show_mask(axes[2, column], image + delta[index], label, prediction[index + 1])
        axes[2, column].set_title(f"attacked, DIC {dic(prediction[index + 1], label):.3f}")
    figure.legend(
        handles=[
            Patch(facecolor=PREDICTED, alpha=OPACITY, label="predicted"),
            Line2D([], [], color=TRUE, linewidth=0.8, label="mask"),
        ],
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _shown(epsilons: Sequence[float]) -> list[int]:
    """Return which of the intensities are shown: a few, or the panel would be too wide to look at."""
    usual = [index for index, epsilon in enumerate(epsilons) if epsilon in SHOWN_EPSILONS]
    count = min(len(epsilons), len(SHOWN_EPSILONS))
    return usual or [int(index) for index in np.linspace(0, len(epsilons) - 1, count).round()]


def _perturbation_title(reach: float, stretch: float) -> str:
    factor = f"{stretch:.0f}" if stretch >= 10 else f"{stretch:.2g}"
    return f"perturbation × {factor},\n±{reach:.3g} of 255 grey levels"


def _show_mask(axis: Axes, picture: np.ndarray, label: np.ndarray, prediction: np.ndarray) -> None:
    """The masks may be smaller than the picture, where that is attacked at its original resolution."""
    show_picture(axis, picture)
    label, prediction = (resize(mask, picture.shape[1:], order=0, preserve_range=True) for mask in (label, prediction))
    axis.imshow(
        np.ma.masked_equal(prediction, 0), cmap=ListedColormap([PREDICTED]), alpha=OPACITY, interpolation="nearest"
    )
    outline(axis, label)
