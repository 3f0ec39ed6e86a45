# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.figures import Curve, CurvePanel, save_comparison_curves

from .conditions import (
    METRICS,
    NETWORKS,
    SCRATCH_STAGES,
    STAGES,
    UNET_FOOTNOTE,
    UNET_UNCHANGED,
    Condition,
    claim_trios,
    in_order,
    network_title,
    stage_title,
)
from .drawn_figure import DrawnFigure, not_measured
from .reported_data import ReportedData
from .statistics import by_condition

__all__ = ["draw_curves"]

MARKER_LABEL = "NLCEN in the paper"
EPSILON_LABEL = "ε (grey levels of 255)"

# lines of paper_style.LINES: the networks keep theirs in every figure
NETWORK_LINES = {name: line for line, name in enumerate(("nlcen", "slsdeep", "nwcn", "unet", "invertednet", "cdnn"))}
WITH, WITHOUT, FROM_SCRATCH = 0, 6, 7
STAGE_LINES = {
    "scratch_without_nl": 1,
    "scratch_without_ce": 3,
    "without_nl": 2,
    "without_ce": 4,
    "frozen": 5,
    "fine_tuned": 0,
}


def draw_curves(summary: pd.DataFrame, data: ReportedData, folder: Path) -> list[DrawnFigure]:
    """Draw scores against ε of one data set: Figures 4 or 5, 7 and 8 of the paper, and the readings of its claim.

    Args:
        summary: what ``summarize`` makes of the results.
        data: the data set; the paper's numbers are drawn where it is one of the paper's.
        folder: where to write.

    Returns:
        The figures for which there are results, in the paper's order.
    """
    rows = by_condition(summary[summary["data"] == data.name])
    names = in_order([*NETWORKS, *(condition.network for condition in rows)])
    drawer = _Drawer(rows, data, folder)
    return [
        *drawer.networks(names),
        *drawer.ablation(list(dict.fromkeys(condition.stage for condition in rows if condition.stage))),
        *drawer.with_and_without([name for name in names if name != "nlcen"]),
        *drawer.readings(),
    ]


class _Drawer:
    """The diagrams of one data set."""

    def __init__(self, rows: Mapping[Condition, pd.DataFrame], data: ReportedData, folder: Path) -> None:
        self.rows = rows
        self.data = data
        self.folder = folder

    def networks(self, names: Sequence[str]) -> list[DrawnFigure]:
        """Figures 4 and 5: NLCEN and the plain networks."""
        wanted = [Condition(self.data.name, name, name == "nlcen") for name in names]
        lines = [(key, network_title(key.network), _network_line(key.network, names)) for key in wanted]
        panels = [
            CurvePanel(metric, self._curves((*line, metric) for line in lines), markers=self.data.nlcen.get(metric, {}))
            for metric in METRICS
        ]
        return self._save(panels, 2, "networks", f"DIC and JSC against ε on {self.data.title}", wanted)

    def ablation(self, stages: Sequence[str]) -> list[DrawnFigure]:
        """Figure 7: the stages of the ablation."""
        if not stages:
            return []
        wanted = {"w/o NLCE": (Condition(self.data.name, "nlcen", False), WITHOUT)}
        scratch = [stage for stage in stages if stage in SCRATCH_STAGES]
        if scratch:
            wanted["NLCEN, from scratch"] = (Condition(self.data.name, "nlcen", True), FROM_SCRATCH)
        others = [stage for stage in stages if stage not in STAGES]
        for stage in [*scratch, *(stage for stage in STAGES if stage not in SCRATCH_STAGES), *others]:
            line = STAGE_LINES[stage] if stage in STAGES else FROM_SCRATCH + 1 + others.index(stage)
            wanted[stage_title(stage)] = (Condition(self.data.name, "nlcen", True, stage), line)
        panels = [
            CurvePanel(metric, self._curves((key, label, line, metric) for label, (key, line) in wanted.items()))
            for metric in METRICS
        ]
        keys = [condition for condition, _ in wanted.values()]
        return self._save(panels, 2, "ablation", f"ablation of NLCEN on {self.data.title}", keys)

    def with_and_without(self, names: Sequence[str]) -> list[DrawnFigure]:
        """Figure 8: each compared network with and without NLCE."""
        drawn = [name for name in names if Condition(self.data.name, name, True) in self.rows]
        if not drawn:
            return []
        panels = [
            CurvePanel(
                metric,
                self._curves(
                    (Condition(self.data.name, name, nlce), label, line, metric)
                    for nlce, label, line in ((True, "with NLCE", WITH), (False, "without NLCE", WITHOUT))
                ),
                title=network_title(name) if metric == METRICS[0] else "",
            )
            for metric in METRICS
            for name in drawn
        ]
        wanted = [Condition(self.data.name, name, nlce) for name in names for nlce in (True, False)]
        caption = f"the compared networks with and without NLCE on {self.data.title}"
        return self._save(panels, len(drawn), "nlce", caption, wanted)

    def readings(self) -> list[DrawnFigure]:
        """Other readings of the attack, and of NLCE: NLCEN with and without NLCE, and UNet."""
        trios = claim_trios(self.data.name, self.rows)
        names = ("NLCEN", "NLCEN w/o NLCE", "UNet")
        lines = (NETWORK_LINES["nlcen"], WITHOUT, NETWORK_LINES["unet"])
        panels = [
            CurvePanel(
                "DIC",
                self._curves((*entry, "DIC") for entry in zip(trio, names, lines, strict=True)),
                title=trio[0].reading_title,
                markers=self.data.nlcen.get("DIC", {}),
            )
            for trio in trios
        ]
        caption = (
            f"readings: DIC against ε (in grey levels of 255 where the title does not say otherwise) on "
            f"{self.data.title} where the attack or NLCE is read otherwise"
        )
        if any(trio[0].reading in UNET_UNCHANGED for trio in trios):
            caption += f"; {UNET_FOOTNOTE}"
        wanted = [condition for trio in trios for condition in trio]
        return self._save(panels, 4, "claim", caption, wanted, "ε")

    def _curves(self, wanted: Iterable[tuple[Condition, str, int, str]]) -> list[Curve]:
        curves = []
        for condition, label, line, metric in wanted:
            if condition in self.rows:
                rows = self.rows[condition]
                deviation = rows[f"{metric}_sd"].tolist() if rows["seeds"].min() > 1 else None
                curves.append(Curve(label, line, rows["epsilon"].tolist(), rows[metric].tolist(), deviation))
        return curves

    def _save(
        self,
        panels: Sequence[CurvePanel],
        columns: int,
        section: str,
        caption: str,
        wanted: Iterable[Condition],
        epsilon_label: str = EPSILON_LABEL,
    ) -> list[DrawnFigure]:
        wanted = list(wanted)
        if not any(panel.curves for panel in panels):
            return []
        stem = self.folder / self.data.figure_stem(section)
        files = save_comparison_curves(panels, stem, columns, MARKER_LABEL, epsilon_label)
        shown = pd.concat([self.rows[condition] for condition in wanted if condition in self.rows])
        caption = self.data.figure_title(section, caption)
        caption += f". Mean of {_span(shown['images'], 'image')} and {_span(shown['seeds'], 'seed')}"
        caption += ", no band" if shown["seeds"].max() == 1 else " (band: standard deviation over the seeds)"
        if any(panel.markers for panel in panels):
            caption += f"; star: {MARKER_LABEL}"
        missing = [condition.title for condition in dict.fromkeys(wanted) if condition not in self.rows]
        return [DrawnFigure(section, f"{caption}.{not_measured(missing)}", files)]


def _network_line(name: str, names: Sequence[str]) -> int:
    others = [other for other in names if other not in NETWORK_LINES]
    return NETWORK_LINES[name] if name in NETWORK_LINES else WITHOUT + 1 + others.index(name)


def _span(numbers: pd.Series[int], unit: str) -> str:
    low, high = numbers.min(), numbers.max()
    plural = unit if high == 1 else f"{unit}s"
    return f"{high} {plural}" if low == high else f"{low} to {high} {plural}"
