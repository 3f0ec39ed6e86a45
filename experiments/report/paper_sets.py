# SPDX-License-Identifier: Apache-2.0
"""The data sets of the paper with its numbers, by which a report knows when to speak of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ReportedData", "describe_data"]

Scores = Mapping[str, Mapping[float, float]]  # by metric and ε


@dataclass(frozen=True)
class ReportedData:
    """A data set of a report.

    Args:
        name: its name in the matrix.
        title: its name for readers.
        figures: the numbers of the paper's figures on it, by what they show.
        nlcen: the paper's mean scores of NLCEN on it; empty if it is none of the paper's. The text gives no others;
            Figures 4, 5, 7 and 8 show curves without numbers.
    """

    name: str
    title: str
    figures: Mapping[str, int] = field(default_factory=dict)
    nlcen: Scores = field(default_factory=dict)

    def figure_stem(self, what: str) -> str:
        """The file name, without ending, of the figure that shows ``what``: with the paper's number if it has one."""
        return f"figure_{self.figures.get(what, what)}_{self.name}"

    def figure_title(self, what: str, text: str) -> str:
        """The begin of a caption, with the number of the paper's figure if it has one on this data."""
        return f"Figure {self.figures[what]}: {text}" if what in self.figures else text[0].upper() + text[1:]


# He et al. 2019, "Quantitative Evaluation"; by how the description begins that data_prep writes into the data list
_PAPER_SETS: Mapping[str, tuple[str, Mapping[str, int], Scores]] = {
    "JSRT with SCR lung masks, fold1 and fold2": (
        "JSRT",
        {"attack": 1, "networks": 4, "predictions": 6, "ablation": 7, "nlce": 8},
        {"DIC": {0.0: 0.971, 32.0: 0.963}, "JSC": {0.0: 0.945, 32.0: 0.929}},
    ),
    "ISBI 2016 Part 1, ": (
        "ISBI 2016",
        {"networks": 5, "predictions": 6},
        {"DIC": {0.0: 0.907, 32.0: 0.801}, "JSC": {0.0: 0.844, 32.0: 0.704}},
    ),
}


def describe_data(name: str, description: str) -> ReportedData:
    """Return a data set with the title that its data list gives it: its name in a matrix alone may be any data's.

    Args:
        name: its name in the matrix.
        description: what its data list says that it is; empty if it says nothing.
    """
    for begin, (title, figures, nlcen) in _PAPER_SETS.items():
        if description.startswith(begin):
            return ReportedData(name, title, figures, nlcen)
    # two data lists may say the same, "pictures of the folder images", but no two data sets have one name
    return ReportedData(name, f"{name} ({description or 'its data list has no description'})")
