# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .paper_numbers import PAPER_SETS, PaperSet

__all__ = ["ReportedData", "describe_data"]


@dataclass(frozen=True)
class ReportedData:
    """A data set of a report.

    Args:
        name: its name in the matrix.
        title: its name for readers.
        paper: the paper's data set that it is, or None.
    """

    name: str
    title: str
    paper: PaperSet | None

    @property
    def nlcen(self) -> Mapping[str, Mapping[float, float]]:
        """The paper's scores of NLCEN on it, by metric and ε."""
        return self.paper.nlcen if self.paper else {}

    def figure_stem(self, what: str) -> str:
        """The file name, without ending, of the figure that shows ``what``: with the paper's number if it has one."""
        return f"figure_{self._number(what) or what}_{self.name}"

    def figure_title(self, what: str, text: str) -> str:
        """The begin of a caption, with the number of the paper's figure if it has one on this data."""
        number = self._number(what)
        return f"Figure {number}: {text}" if number else text[0].upper() + text[1:]

    def _number(self, what: str) -> int | None:
        return self.paper.figures.get(what) if self.paper else None


def describe_data(name: str, description: str) -> ReportedData:
    """Return a data set with the title that its data list gives it: its name in a matrix alone may be any data's.

    Args:
        name: its name in the matrix.
        description: what its data list says that it is; empty if it says nothing.
    """
    for paper in PAPER_SETS:
        if description.startswith(paper.description):
            return ReportedData(name, paper.title, paper)
    # two data lists may say the same, "pictures of the folder images", but no two data sets have one name
    return ReportedData(name, f"{name} ({description or 'its data list has no description'})", None)
