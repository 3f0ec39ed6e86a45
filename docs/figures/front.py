# SPDX-License-Identifier: Apache-2.0
"""The README's picture: a failure of the gallery, and the worst case of networks beside the paper's attack.

``python docs/figures/front.py --failure failures/<image>.npz --title "16 radiographs" --report NAME=report.json``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from pipeline.figures.paper_style import LINES, STYLE
from pipeline.figures.pictures import PREDICTED, TRUE, show_picture

PAPER = "paper"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failure", type=Path, required=True, help="a file in the folder failures/ of an assessment")
    parser.add_argument("--report", action="append", required=True, metavar="NAME=report.json", help="may be repeated")
    parser.add_argument("--title", required=True, help="of the curves: which pictures the reports are on")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".png"))
    given = parser.parse_args()
    reports = {
        name: json.loads(Path(file).read_text()) for name, _, file in (each.partition("=") for each in given.report)
    }
    with rc_context(STYLE), np.load(given.failure) as failure:
        figure = Figure(figsize=(10, 2.85), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.75, 1])
        _failure(left, dict(failure))
        _curves(right.subplots(), reports, given.title)
        figure.savefig(given.output, dpi=120)


def _failure(figure: SubFigure, failure: dict[str, Any]) -> None:
    epsilon = float(failure["epsilon"])
    stretch = 127.5 / epsilon
    axes = figure.subplots(1, 3)
    show_picture(axes[0], failure["picture"], f"Picture: Dice {float(failure['clean_DIC']):.3f}")
    show_picture(
        axes[1],
        127.5 + stretch * (failure["adversarial"] - failure["picture"]),
        f"Perturbation of at most {epsilon:g} of 255\ngrey levels, stretched {stretch:.0f} times",
    )
    show_picture(axes[2], failure["adversarial"], f"Picture + perturbation: Dice {float(failure['DIC']):.3f}")
    for axis, prediction in ((axes[0], failure["clean_prediction"]), (axes[2], failure["prediction"])):
        axis.contourf(prediction, levels=[0.5, 1.5], colors=PREDICTED, alpha=0.45)
        axis.contour(failure["label"], levels=[0.5], colors=TRUE, linewidths=1.0)
    for axis in axes:
        axis.set_axis_off()
    handles = [
        Line2D([], [], color=PREDICTED, linewidth=6, alpha=0.45, label="predicted"),
        Line2D([], [], color=TRUE, linewidth=1.2, label="true mask"),
    ]
    axes[1].legend(handles=handles, loc="upper center", ncols=2, frameon=False, bbox_to_anchor=(0.5, -0.02))


def _curves(axis: Axes, reports: dict[str, Any], title: str) -> None:
    for place, (name, report) in enumerate(reports.items()):
        color = LINES[place]["color"]
        shown = [0.0, *report["epsilons"]]
        of = {"worst case found": report["worst_case"], "paper's attack": report["attacks"][PAPER]}
        for (label, cells), style in zip(of.items(), ("-", (0, (4, 2))), strict=True):
            values = [report["clean"]["DIC"], *(cells[f"{epsilon:g}"]["DIC"] for epsilon in report["epsilons"])]
            width = 2.2 if style == "-" else 1.4
            axis.plot(
                shown, values, color=color, linestyle=style, marker="o", ms=3.5, lw=width, label=f"{name}, {label}"
            )
    first = next(iter(reports.values()))
    floor = first["floor"][f"{first['epsilons'][0]:g}"]
    ceiling = [1.0, *(first["ceiling"][f"{epsilon:g}"] for epsilon in first["epsilons"])]
    axis.axhspan(0, floor, color="#000000", alpha=0.07, linewidth=0)
    axis.text(8.6, floor - 0.13, "below the best constant mask", va="top", color="#555555", fontsize=7)
    axis.fill_between([0.0, *first["epsilons"]], ceiling, 1.01, color="#D55E00", alpha=0.35, linewidth=0)
    axis.text(31.6, 1.015, "above any network (estimate)", ha="right", va="bottom", color="#B04A00", fontsize=7)
    axis.set(xlim=(0, 32.5), ylim=(0, 1.06), xticks=[0, 2, 4, 8, 16, 32], yticks=np.linspace(0, 1, 6))
    axis.set(xlabel="ε: most that a pixel changes (grey levels of 255)", ylabel="mean Dice")
    axis.set_title(title)
    axis.legend(loc="center right", frameon=False, bbox_to_anchor=(1, 0.38))


if __name__ == "__main__":
    main()
