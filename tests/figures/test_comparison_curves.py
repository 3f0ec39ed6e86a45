# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline.figures import Curve, CurvePanel, save_comparison_curves
from pipeline.figures.paper_style import LINES

from .test_figures import assert_texts_have_room, keep_figures

MODULE = "pipeline.figures.comparison_curves"
EPSILONS = [0.0, 2.0, 32.0]


def draw(path: Path, monkeypatch: pytest.MonkeyPatch, panels: list[CurvePanel], columns: int) -> Figure:
    figures = keep_figures(MODULE, monkeypatch)
    files = save_comparison_curves(panels, path / "figure", columns, "the paper", "ε (levels)")
    assert files == [path / "figure.png", path / "figure.pdf"]
    assert sorted(file.name for file in path.iterdir()) == ["figure.pdf", "figure.png"]
    with Image.open(files[0]) as picture:
        assert picture.format == "PNG" and picture.width == 2100
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=1)
    assert files[1].read_bytes().startswith(b"%PDF")
    return figures[0]


def test_curves_bands_and_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Curve("NLCEN", 0, EPSILONS, [0.9, 0.8, 0.1], [0.02, 0.01, 0.03])
    other = Curve("UNet", 3, EPSILONS, [0.8, 0.5, 0.05])
    panels = [CurvePanel("DIC", [ours, other], markers={0.0: 0.971, 32.0: 0.963}), CurvePanel("JSC", [other])]
    figure = draw(tmp_path, monkeypatch, panels, 2)
    left, right = figure.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("DIC", "JSC")
    assert figure.get_supxlabel() == "ε (levels)"
    assert left.get_ylim() == right.get_ylim() == (-0.02, 1.02)
    assert left.get_xticks().tolist() == [0, 8, 16, 24, 32]
    assert [line.get_label() for line in left.lines] == ["NLCEN", "UNet", "the paper"]
    assert left.lines[0].get_ydata().tolist() == [0.9, 0.8, 0.1] and left.lines[0].get_xdata().tolist() == EPSILONS
    assert left.lines[2].get_xdata().tolist() == [0, 32] and left.lines[2].get_ydata().tolist() == [0.971, 0.963]
    assert left.lines[2].get_linestyle() == "None"
    (band,) = left.collections
    corners = {(float(x), round(float(y), 6)) for x, y in band.get_paths()[0].vertices}
    assert {(0.0, 0.92), (0.0, 0.88), (2.0, 0.81), (2.0, 0.79), (32.0, 0.13), (32.0, 0.07)} == corners
    # the same network looks the same, and no marker stands where there is none
    (line,) = right.lines
    assert not right.collections
    assert line.get_color() == left.lines[1].get_color() == LINES[3]["color"]
    assert line.get_marker() == left.lines[1].get_marker() == "D"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["NLCEN", "UNet", "the paper"]


def test_lines_differ_without_their_colors() -> None:
    looks = {(str(line["linestyle"]), line["marker"], line.get("markerfacecolor")) for line in LINES}
    assert len(looks) == len(LINES) == len({line["color"] for line in LINES})


def test_a_grid_that_is_not_full_and_unusual_intensities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panels = [CurvePanel("DIC", [Curve("NLCEN", 0, [0.0, 4.0], [0.9, 0.1])], title=f"reading {n}") for n in range(5)]
    # a panel may have no curve yet
    panels[1] = CurvePanel("DIC", [], title="reading 1")
    figure = draw(tmp_path, monkeypatch, panels, 4)
    assert [axis.get_title() for axis in figure.axes] == [f"reading {n}" for n in range(5)]
    assert [axis.get_ylabel() for axis in figure.axes] == ["DIC", "", "", "", "DIC"]
    # the numbers stand below the last diagram of each column
    shown = [axis.xaxis.get_tick_params()["labelbottom"] for axis in figure.axes]
    assert shown == [False, True, True, True, True]
    assert np.all(np.diff(figure.axes[0].get_xticks()) < 4)


def test_the_same_curves_give_the_same_bytes(tmp_path: Path) -> None:
    panel = CurvePanel("DIC", [Curve("NLCEN", 0, EPSILONS, [0.9, 0.8, 0.1], [0.02, 0.01, 0.03])])
    files = [save_comparison_curves([panel], tmp_path / name / "figure", 1, "", "ε") for name in ("a", "b")]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]
    other = CurvePanel("DIC", [Curve("NLCEN", 0, EPSILONS, [0.9, 0.8, 0.2], [0.02, 0.01, 0.03])])
    changed = save_comparison_curves([other], tmp_path / "c" / "figure", 1, "", "ε")
    assert changed[0].read_bytes() != files[0][0].read_bytes()


@pytest.mark.parametrize("count", [2, 5, 9])
def test_no_name_in_the_legend_is_cut_off(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    curves = [Curve(f"a network of a long name {index}", index, EPSILONS, [0.9, 0.8, 0.1]) for index in range(count)]
    figures = keep_figures(MODULE, monkeypatch)
    monkeypatch.setattr(f"{MODULE}.save_figure", lambda figure, stem: [])
    save_comparison_curves([CurvePanel("DIC", curves, "title"), CurvePanel("JSC", curves)], "figure", 2, "", "ε")
    (figure,) = figures
    assert_texts_have_room(figure, [*figure.legends, *(axis.title for axis in figure.axes)])
