# SPDX-License-Identifier: Apache-2.0
"""The diagrams of the report, each drawn from ``report.json`` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.figures.paper_style import LINES, STYLE, WIDTH
from pipeline.robustness.scores import NOISE, PAPER
from pipeline.utils import atomic_path

from .words import a_few

__all__ = ["draw_figures"]

Report = Mapping[str, Any]

GREY_LEVELS = "ε (grey levels of 255)"
DPI = 200
WORST = "worst case"
# those that must be found among any number of others: no other curve is blue, black or grey, or as thick
STAND_OUT: dict[str, dict[str, Any]] = {
    WORST: LINES[0] | {"linewidth": 2.6, "markersize": 4},
    PAPER: {"color": "#000000", "linestyle": "-", "linewidth": 1.6, "marker": "*", "markersize": 5},
    NOISE: {"color": "#888888", "linestyle": (0, (4, 2)), "linewidth": 1.2},
}
OTHERS = (*LINES[1:6], *LINES[7:])


def draw_figures(report: Report, folder: Path) -> list[Path]:
    """Draw what the report has numbers for: ``curves.png``, ``convergence.png``, ``corruptions.png``,
    ``sensitivity.png``.

    Args:
        report: the content of ``report.json``.
        folder: where to write.

    Returns:
        The files written.
    """
    drawn: dict[str, Callable[[Report], Figure]] = {"curves": _curves, "sensitivity": _sensitivity}
    drawn |= {"convergence": _convergence} if report["convergence"] else {}
    drawn |= {"corruptions": _corruptions} if report["corruptions"] else {}
    files = []
    for name, draw in drawn.items():
        path = folder / f"{name}.png"
        with rc_context(STYLE), atomic_path(path) as temporary:
            draw(report).savefig(temporary, dpi=DPI)
        files.append(path)
    return files


def _curves(report: Report) -> Figure:
    """Each attack, noise, and the worst case with its interval, between floor and ceiling."""
    epsilons, worst = report["epsilons"], list(report["worst_case"].values())
    figure, axis = _diagram(GREY_LEVELS, "mean DIC", height=3.6)
    shown = [0.0, *epsilons]
    rows = [report["clean"], *worst]
    # first of all: below the attacks by themselves, which would be hidden
    axis.plot(shown, [row["DIC"] for row in rows], label=WORST, **STAND_OUT[WORST])
    if all(row["low"] is not None for row in rows):
        low, high = ([row[end] for row in rows] for end in ("low", "high"))
        axis.fill_between(shown, low, high, color="#0072B2", alpha=0.25, linewidth=0, label="its 95 % interval")
    others = [name for name in report["attacks"] if name not in STAND_OUT]
    for place, name in enumerate(others):
        _line(axis, report, name, _style(place) | {"linewidth": 0.9, "markersize": 2.8})
    for name in (PAPER, NOISE):
        if name in report["attacks"]:
            _line(axis, report, name, STAND_OUT[name])
    _bounds(axis, report)
    axis.set(xlim=(0, 1.02 * epsilons[-1]), ylim=(0, 1.005), yticks=np.linspace(0, 1, 11))
    _legend(figure, axis)
    return figure


def _style(place: int) -> dict[str, Any]:
    """The style of the curve at a place: a color with its own dashes and marker; in each further round another's."""
    turn, index = divmod(place, len(OTHERS))
    other = OTHERS[(index + turn) % len(OTHERS)]
    face = {"markerfacecolor": "white"} if turn % 2 else {}
    return other | {"color": OTHERS[index]["color"]} | face


def _bounds(axis: Axes, report: Report) -> None:
    """Shade what is below the best constant mask, and what no network can exceed."""
    epsilons = report["epsilons"]
    floor = report["floor"][f"{epsilons[0]:g}"]
    if floor is not None:
        axis.axhspan(0, floor, color="#000000", alpha=0.07, linewidth=0, label="below the best constant mask")
    known = [(epsilon, report["ceiling"][f"{epsilon:g}"]) for epsilon in epsilons]
    known = [(0.0, 1.0), *((epsilon, value) for epsilon, value in known if value is not None)]
    if len(known) > 1:
        ends = zip(*known, strict=True)
        where, values = (list(end) for end in ends)
        axis.fill_between(
            where, values, 1.01, color="#D55E00", alpha=0.35, linewidth=0, label="above any network (estimate)"
        )


def _line(axis: Axes, report: Report, name: str, style: dict[str, Any]) -> None:
    cells = report["attacks"][name]
    known = [(epsilon, cells[f"{epsilon:g}"]["DIC"]) for epsilon in report["epsilons"] if f"{epsilon:g}" in cells]
    points = [(0.0, report["clean"]["DIC"]), *known]
    axis.plot(*zip(*points, strict=True), label=_literal(name), **style)


def _sensitivity(report: Report) -> Figure:
    """Of each ε the worst cases of the images, sorted."""
    figure, axis = _diagram("images, sorted by their worst case at each ε (part of all)", "DIC", height=2.9)
    curves = {"clean": [row["clean"] for row in report["per_image"]]}
    for epsilon in a_few(list(report["worst_case"]), 6):
        curves[f"ε = {epsilon}"] = [row["worst_case"][epsilon] for row in report["per_image"]]
    for place, (label, values) in enumerate(curves.items()):
        style = LINES[(6 + place) % len(LINES)] | {"markersize": 2.5 if len(values) < 40 else 0, "linewidth": 1.2}
        parts = (np.arange(len(values)) + 0.5) / len(values)
        axis.plot(parts, sorted(values), label=label, **style)
    axis.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    _legend(figure, axis)
    return figure


def _convergence(report: Report) -> Figure:
    """The worst case over the gradients that were spent, for each ε."""
    figure, axis = _diagram("gradients for each image at this ε", "mean DIC, worst case", height=2.9)
    epsilons = list(dict.fromkeys(row["epsilon"] for row in report["convergence"]))
    for place, epsilon in enumerate(a_few(epsilons, 6)):
        rows = [row for row in report["convergence"] if row["epsilon"] == epsilon and row["DIC"] is not None]
        style = LINES[place % len(LINES)] | {"markersize": 3, "linewidth": 1.2}
        axis.plot([row["gradients"] for row in rows], [row["DIC"] for row in rows], label=f"ε = {epsilon:g}", **style)
    axis.set(ylim=(-0.02, 1.02))
    _legend(figure, axis)
    return figure


def _corruptions(report: Report) -> Figure:
    """Mean DIC over the severity of each corruption; 0 is the clean picture."""
    figure, axis = _diagram("severity", "mean DIC", height=2.9)
    for place, name in enumerate(dict.fromkeys(row["corruption"] for row in report["corruptions"])):
        rows = sorted((row["severity"], row["DIC"]) for row in report["corruptions"] if row["corruption"] == name)
        points = [(0, report["clean"]["DIC"]), *rows]
        style = _style(place) | {"markersize": 3, "linewidth": 1.2}
        axis.plot(*zip(*points, strict=True), label=_literal(name), **style)
    axis.set(ylim=(-0.02, 1.02), xticks=range(6))
    _legend(figure, axis)
    return figure


def _diagram(x: str, y: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axis = figure.subplots()
    axis.set(xlabel=x, ylabel=y)
    axis.grid(alpha=0.25, linewidth=0.5)
    return figure, axis


def _legend(figure: Figure, axis: Axes) -> None:
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper", frameon=False, handlelength=3.2)


def _literal(name: str) -> str:
    """A name as a label: matplotlib leaves those with "_" in front out, and sets what is between $ as a formula."""
    label = name.replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label
