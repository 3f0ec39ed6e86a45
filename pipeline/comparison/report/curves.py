# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.figures import Curve, CurvePanel, save_comparison_curves

from .conditions import METRICS, NETWORKS, STAGES, Condition, in_order, network_title
from .drawn_figure import DrawnFigure, not_measured
from .paper_numbers import PAPER_NLCEN
from .statistics import by_condition

__all__ = ["draw_curves"]

PAPER_FIGURES = {"jsrt": "4", "isbi2016": "5"}
MARKER_LABEL = "NLCEN in the paper"

# lines of paper_style.LINES: the networks keep theirs in every figure
NETWORK_LINES = {name: line for line, name in enumerate(("nlcen", "slsdeep", "nwcn", "unet", "invertednet", "cdnn"))}
WITH, WITHOUT = 0, 6
STAGE_LINES = {"without_nl": 2, "without_ce": 4, "frozen": 5, "fine_tuned": 0}


def draw_curves(summary: pd.DataFrame, data: str, title: str, folder: Path) -> list[DrawnFigure]:
    """Draw scores against ε of one data set: Figures 4 or 5, 7 and 8 of the paper, and the readings of its claim.

    Args:
        summary: what ``summarize`` makes of the results.
        data: name of the data set.
        title: its title; the paper's numbers are drawn where it is ``JSRT`` or ``ISBI 2016``.
        folder: where to write.

    Returns:
        The figures for which there are results, in the paper's order.
    """
    rows = by_condition(summary[summary["data"] == data])
    names = in_order([*NETWORKS, *(condition.network for condition in rows)])
    drawer = _Drawer(rows, data, title, folder)
    return [
        *drawer.networks(names),
        *drawer.ablation(),
        *drawer.with_and_without([name for name in names if name != "nlcen"]),
        *drawer.readings(),
    ]


class _Drawer:
    """The diagrams of one data set."""

    def __init__(self, rows: Mapping[Condition, pd.DataFrame], data: str, title: str, folder: Path) -> None:
        self.rows = rows
        self.data = data
        self.title = title
        self.folder = folder
        self.paper = PAPER_NLCEN.get(title, {})

    def networks(self, names: Sequence[str]) -> list[DrawnFigure]:
        """Figures 4 and 5: NLCEN and the plain networks."""
        wanted = [Condition(self.data, name, name == "nlcen") for name in names]
        lines = [(key, network_title(key.network), _network_line(key.network, names)) for key in wanted]
        panels = [
            CurvePanel(metric, self._curves((*line, metric) for line in lines), markers=self.paper.get(metric, {}))
            for metric in METRICS
        ]
        number = PAPER_FIGURES.get(self.data)
        stem = f"figure_{number}_{self.data}" if number else f"figure_networks_{self.data}"
        caption = f"{f'Figure {number}' if number else 'Networks'}: DIC and JSC against ε on {self.title}"
        return self._save(panels, stem, 2, "networks", caption, wanted)

    def ablation(self) -> list[DrawnFigure]:
        """Figure 7: the stages of the ablation."""
        if not any(condition.variant in STAGES for condition in self.rows):
            return []
        wanted = {"w/o NLCE": (Condition(self.data, "nlcen", False), WITHOUT)}
        for stage, label in STAGES.items():
            wanted[label] = (Condition(self.data, "nlcen", True, stage), STAGE_LINES[stage])
        panels = [
            CurvePanel(metric, self._curves((key, label, line, metric) for label, (key, line) in wanted.items()))
            for metric in METRICS
        ]
        caption = f"Figure 7: ablation of NLCEN on {self.title}"
        keys = [condition for condition, _ in wanted.values()]
        return self._save(panels, f"figure_7_{self.data}", 2, "ablation", caption, keys)

    def with_and_without(self, names: Sequence[str]) -> list[DrawnFigure]:
        """Figure 8: each compared network with and without NLCE."""
        drawn = [name for name in names if Condition(self.data, name, True) in self.rows]
        if not drawn:
            return []
        panels = [
            CurvePanel(
                metric,
                self._curves(
                    (Condition(self.data, name, nlce), label, line, metric)
                    for nlce, label, line in ((True, "with NLCE", WITH), (False, "without NLCE", WITHOUT))
                ),
                title=network_title(name) if metric == METRICS[0] else "",
            )
            for metric in METRICS
            for name in drawn
        ]
        wanted = [Condition(self.data, name, nlce) for name in names for nlce in (True, False)]
        caption = f"Figure 8: the compared networks with and without NLCE on {self.title}"
        return self._save(panels, f"figure_8_{self.data}", len(drawn), "nlce", caption, wanted)

    def readings(self) -> list[DrawnFigure]:
        """Other readings of the attack, and of NLCE: NLCEN with and without NLCE, and UNet."""
        keys = [(c.variant, c.reading) for c in self.rows if c.variant not in STAGES]
        keys = list(dict.fromkeys(key for key in keys if any(key)))
        if not keys:
            return []
        wanted, panels = [], []
        for variant, reading in [("", ""), *keys]:
            trio = (
                (Condition(self.data, "nlcen", True, variant, reading), "NLCEN", NETWORK_LINES["nlcen"]),
                (Condition(self.data, "nlcen", False, "", reading), "NLCEN w/o NLCE", WITHOUT),
                (Condition(self.data, "unet", False, "", reading), "UNet", NETWORK_LINES["unet"]),
            )
            wanted += [condition for condition, _, _ in trio]
            title = trio[0][0].reading_title
            curves = self._curves((*entry, "DIC") for entry in trio)
            panels.append(CurvePanel("DIC", curves, title=title, markers=self.paper.get("DIC", {})))
        caption = f"Readings: DIC against ε on {self.title} where the attack or NLCE is read otherwise"
        return self._save(panels, f"figure_claim_{self.data}", 4, "claim", caption, wanted)

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
        stem: str,
        columns: int,
        section: str,
        caption: str,
        wanted: Iterable[Condition],
    ) -> list[DrawnFigure]:
        wanted = list(wanted)
        if not any(panel.curves for panel in panels):
            return []
        files = save_comparison_curves(panels, self.folder / stem, columns, MARKER_LABEL)
        shown = pd.concat([self.rows[condition] for condition in wanted if condition in self.rows])
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
