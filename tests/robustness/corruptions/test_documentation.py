# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from pipeline.robustness.corruptions import CORRUPTIONS, SEVERITIES

PAGE = Path(__file__).parents[3] / "docs" / "corruptions.md"


def test_the_page_has_the_severities_that_are_used() -> None:
    cells = [[cell.strip() for cell in line.split("|")[1:7]] for line in PAGE.read_text("utf-8").splitlines()]
    rows = {row[0]: tuple(float(value) for value in row[1:]) for row in cells if row and row[0] in SEVERITIES}
    assert rows == {corruption.name: SEVERITIES[corruption.name].values for corruption in CORRUPTIONS}
