# SPDX-License-Identifier: Apache-2.0
"""Curves that a reader must tell apart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.robustness import NOISE, RECIPES, Assessment
from pipeline.robustness.corruptions import CORRUPTIONS
from pipeline.robustness.report import make_report
from pipeline.robustness.report.figures import draw_figures
from pipeline.robustness.scores import PAPER, REFINED

from .assessments import EPSILONS, scores_of

# all that the battery has
ATTACKS = [NOISE, PAPER, *RECIPES, "square", "transfer", REFINED]


def look(line: Line2D) -> tuple[Any, ...]:
    """What is seen of a curve beside its course and thickness."""
    dashes = getattr(line, "_unscaled_dash_pattern")  # noqa: B009
    return line.get_color(), str(dashes), line.get_marker(), line.get_markerfacecolor()


Lines = dict[str, Line2D]


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Lines]:
    """The curves of the diagrams, by their labels."""
    found: list[Lines] = []

    def keep(self: Figure, path: Path, **options: Any) -> None:
        found.append({str(line.get_label()): line for line in self.axes[0].lines})
        path.touch()

    monkeypatch.setattr(Figure, "savefig", keep)
    scores = scores_of(0.9, dict.fromkeys(ATTACKS, (0.8, 0.5, 0.3)), images=2)
    rows = [("a", each.name, severity, 0.9 - severity / 10, 0.5) for each in CORRUPTIONS for severity in range(1, 6)]
    table = pd.DataFrame(rows, columns=["image", "corruption", "severity", "DIC", "JSC"])
    draw_figures(make_report(Assessment(scores=scores, epsilons=EPSILONS, corruptions=table)), tmp_path)
    return found


def test_no_two_curves_are_alike(drawn: list[Lines]) -> None:
    assert [set(lines) for lines in drawn if "worst case" in lines] == [{*ATTACKS, "worst case"}]
    assert [set(lines) for lines in drawn if "blur" in lines] == [{each.name for each in CORRUPTIONS}]
    for lines in drawn:
        alike = [pair for pair in combinations(lines, 2) if look(lines[pair[0]]) == look(lines[pair[1]])]
        assert alike == []


def test_the_worst_case_the_papers_attack_and_the_noise_stand_out(drawn: list[Lines]) -> None:
    attacks, own = drawn[0], ("worst case", PAPER, NOISE)
    others = [line for name, line in attacks.items() if name not in own]
    for name in own:
        colors = [line.get_color() for other, line in attacks.items() if other != name]
        assert attacks[name].get_color() not in colors
        assert attacks[name].get_linewidth() > max(line.get_linewidth() for line in others)
