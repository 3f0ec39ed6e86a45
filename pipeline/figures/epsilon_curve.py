# SPDX-License-Identifier: Apache-2.0
"""DIC and JSC of one network against ε."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.utils import atomic_path

__all__ = ["mean_scores", "save_epsilon_curve"]


def mean_scores(table: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return mean DIC and JSC over the images for each ε, rising, of rows with ``epsilon``, ``DIC`` and ``JSC``."""
    summary = []
    for epsilon in sorted({row["epsilon"] for row in table}):
        rows = [row for row in table if row["epsilon"] == epsilon]
        means = {metric: sum(row[metric] for row in rows) / len(rows) for metric in ("DIC", "JSC")}
        summary.append({"epsilon": epsilon, **means, "images": len(rows)})
    return summary


def save_epsilon_curve(
    table: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], title: str, grey_level: float = 1.0
) -> None:
    """Draw DIC and JSC against ε (the paper's Figures 4 and 5): the mean of the images, and their interquartile range.

    Quartiles between two images are interpolated linearly, as ``numpy.percentile`` does.

    Args:
        table: one row per image and ε, with ``epsilon``, ``DIC`` and ``JSC`` in [0, 1].
        path: the picture file to write.
        title: title of the figure.
        grey_level: what ε counts, in grey levels of 255.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    unit = "grey levels of 255" if grey_level == 1 else f"{grey_level:.3g} grey levels of 255"
    epsilons = sorted({row["epsilon"] for row in table})
    for axis, metric, color in zip(axes, ("DIC", "JSC"), ("tab:blue", "tab:orange"), strict=True):
        values = [[row[metric] for row in table if row["epsilon"] == epsilon] for epsilon in epsilons]
        quartiles = np.array([np.percentile(scores, (25, 75)) for scores in values])
        if len(epsilons) > 1:
            axis.fill_between(epsilons, *quartiles.T, color=color, alpha=0.2, linewidth=0)
        else:
            axis.vlines(epsilons, *quartiles.T, color=color, alpha=0.2, linewidth=8)
            axis.set_xticks(epsilons)
        axis.plot(epsilons, [np.mean(scores) for scores in values], marker="o", markersize=4, color=color)
        axis.set(xlabel=f"ε ({unit})", ylabel=metric, ylim=(-0.02, 1.02))
        axis.grid(alpha=0.3)
    count = len({row["image"] for row in table})
    images = "1 image" if count == 1 else f"{count} images"
    # as many letters as fit into the width
    figure.suptitle(textwrap.fill(f"{title}: mean of {images} (band: interquartile range)", 80), fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
