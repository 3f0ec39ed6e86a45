# SPDX-License-Identifier: Apache-2.0
"""Draws scores against ε: the paper's Figures 4, 5, 7 and 8, and the readings of its claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.figures import Curve, CurvePanel, save_comparison_curves

from .condition import METRICS, SCRATCH_STAGES, STAGES, UNET_UNCHANGED, Condition, by_condition, claim_trios
from .drawn_figure import DrawnFigure
from .paper_sets import ReportedData

__all__ = ["draw_curves"]

MARKER_LABEL = "NLCEN in the paper"

# lines of paper_style.LINES: the networks keep theirs in every figure
NETWORK_LINES = {name: line for line, name in enumerate(("nlcen", "slsdeep", "nwcn", "unet", "invertednet", "cdnn"))}
WITH, WITHOUT, FROM_SCRATCH = 0, 6, 7
STAGE_LINES = {"scratch_without_nl": 1, "scratch_without_ce": 3, "without_nl": 2, "without_ce": 4, "frozen": 5}
STAGE_LINES["fine_tuned"] = 0


@dataclass(frozen=True)
class _Line:
    condition: Condition
    label: str
    line: int


def draw_curves(summary: pd.DataFrame, data: ReportedData, folder: Path) -> list[DrawnFigure]:
    """Draw scores against ε of one data set.

    Args:
        summary: what ``summarize`` makes of the results.
        data: the data set; the paper's numbers are drawn where it is one of the paper's.
        folder: where to write.

    Returns:
        The figures for which there are results, in the paper's order.
    """
    rows = by_condition(summary[summary["data"] == data.name])
    drawer = _Drawer(rows, data, folder)
    figures = [drawer.networks(), drawer.ablation(), drawer.with_and_without(), drawer.readings()]
    return [figure for figure in figures if figure is not None]


class _Drawer:
    """The diagrams of one data set."""

    def __init__(self, rows: Mapping[Condition, pd.DataFrame], data: ReportedData, folder: Path) -> None:
        self.rows = rows
        self.data = data
        self.folder = folder
        self.main = [key for key in rows if not (key.stage or key.is_read_otherwise)]

    def networks(self) -> DrawnFigure | None:
        """Figures 4 and 5: NLCEN and the plain networks."""
        keys = [key for key in self.main if key.nlce == (key.network == "nlcen")]
        others = [key.network for key in keys if key.network not in NETWORK_LINES]
        own = NETWORK_LINES | {name: WITHOUT + 1 + place for place, name in enumerate(others)}
        lines = [_Line(key, key.title, own[key.network]) for key in keys]
        panels = [self._panel(lines, metric, markers=True) for metric in METRICS]
        return self._save(panels, 2, "networks", f"DIC and JSC against ε on {self.data.title}", lines)

    def ablation(self) -> DrawnFigure | None:
        """Figure 7: the stages of the ablation."""
        stages = list(dict.fromkeys(key.stage for key in self.rows if key.stage))
        if not stages:
            return None
        lines = [_Line(Condition(self.data.name, "nlcen", False), "w/o NLCE", WITHOUT)]
        if set(stages) & set(SCRATCH_STAGES):
            lines.append(_Line(Condition(self.data.name, "nlcen", True), "NLCEN, from scratch", FROM_SCRATCH))
        others = [stage for stage in stages if stage not in STAGES]
        for stage in [*STAGES, *others]:
            line = STAGE_LINES[stage] if stage in STAGES else FROM_SCRATCH + 1 + others.index(stage)
            key = Condition(self.data.name, "nlcen", True, stage)
            lines.append(_Line(key, key.title.removeprefix("ablation: "), line))
        panels = [self._panel(lines, metric) for metric in METRICS]
        return self._save(panels, 2, "ablation", f"ablation of NLCEN on {self.data.title}", lines)

    def with_and_without(self) -> DrawnFigure | None:
        """Figure 8: each compared network with and without NLCE."""
        names = [key.network for key in self.main if key.nlce and key.network != "nlcen"]
        called = {key.network: key.called for key in self.main if not key.nlce}
        pairs = {
            name: [
                _Line(Condition(self.data.name, name, True), "with NLCE", WITH),
                _Line(Condition(self.data.name, name, False), "without NLCE", WITHOUT),
            ]
            for name in names
        }
        panels = [
            self._panel(lines, metric, title=called.get(name, name) if metric == METRICS[0] else "")
            for metric in METRICS
            for name, lines in pairs.items()
        ]
        caption = f"the compared networks with and without NLCE on {self.data.title}"
        return self._save(panels, len(names), "nlce", caption, [line for pair in pairs.values() for line in pair])

    def readings(self) -> DrawnFigure | None:
        """Other readings of the attack, and of NLCE: NLCEN with and without NLCE, and UNet."""
        looks = (("NLCEN", WITH), ("NLCEN w/o NLCE", WITHOUT), ("UNet", NETWORK_LINES["unet"]))
        trios = [
            [_Line(key, *look) for key, look in zip(trio, looks, strict=True)]
            for trio in claim_trios(self.data.name, self.rows)
        ]
        panels = [self._panel(trio, "DIC", trio[0].condition.reading_title, markers=True) for trio in trios]
        caption = (
            f"readings: DIC against ε (in grey levels of 255 where the title does not say otherwise) on "
            f"{self.data.title} where the attack, NLCE or the training is another"
        )
        there = [line.condition for trio in trios for line in trio if line.condition in self.rows]
        grids = {tuple(self.rows[key]["epsilon"]) for key in there}
        if len(grids) > 1:
            caption += "; not all were attacked at the same ε: each point is one"
        if any(trio[0].condition.reading in UNET_UNCHANGED for trio in trios):
            caption += "; UNet has one output and no batch normalization: where these count, its attack is the paper's"
        return self._save(panels, 4, "claim", caption, [line for trio in trios for line in trio], "ε")

    def _panel(self, lines: Iterable[_Line], metric: str, title: str = "", markers: bool = False) -> CurvePanel:
        curves = []
        for line in lines:
            if line.condition in self.rows:
                rows = self.rows[line.condition]
                deviation = rows[f"{metric}_sd"].tolist() if rows["seeds"].min() > 1 else None
                curves.append(Curve(line.label, line.line, rows["epsilon"].tolist(), rows[metric].tolist(), deviation))
        return CurvePanel(metric, curves, title, self.data.nlcen.get(metric, {}) if markers else {})

    def _save(
        self,
        panels: Sequence[CurvePanel],
        columns: int,
        section: str,
        caption: str,
        lines: Iterable[_Line],
        epsilon_label: str = "ε (grey levels of 255)",
    ) -> DrawnFigure | None:
        if not any(panel.curves for panel in panels):
            return None
        stem = self.folder / self.data.figure_stem(section)
        files = save_comparison_curves(panels, stem, columns, MARKER_LABEL, epsilon_label)
        shown = pd.concat([self.rows[line.condition] for line in lines if line.condition in self.rows])
        caption = self.data.figure_title(section, caption)
        caption += f". Mean of {_span(shown['images'], 'image')} and {_span(shown['seeds'], 'seed')}"
        caption += ", no band" if shown["seeds"].max() == 1 else " (band: standard deviation over the seeds)"
        if any(panel.markers for panel in panels):
            caption += f"; star: {MARKER_LABEL}"
        return DrawnFigure(section, f"{caption}.", files)


def _span(numbers: pd.Series[int], unit: str) -> str:
    low, high = numbers.min(), numbers.max()
    plural = unit if high == 1 else f"{unit}s"
    return f"{high} {plural}" if low == high else f"{low} to {high} {plural}"
