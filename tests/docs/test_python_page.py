# SPDX-License-Identifier: Apache-2.0
"""The examples of the documentation's pages run as they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .pages import ROOT, blocks

pytestmark = pytest.mark.usefixtures("quick_assessments")


@pytest.mark.parametrize("page", ["python.md", "your_network.md"])
def test_the_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for number, code in enumerate(blocks(ROOT / "docs" / page, "python")):
        exec(compile(code, f"{page}, example {number + 1}", "exec"), names)
    if page == "python.md":
        assert (tmp_path / "robustness/report.html").exists()
        worst, clean = names["report"]["worst_case"]["8"]["DIC"], names["report"]["clean"]["DIC"]
        assert worst < clean
        assert (names["stronger"][8.0] - names["picture"]).abs().max() <= 8.001
        assert names["evaluator"].state.metrics["DIC_eps_08.0"] <= names["evaluator"].state.metrics["DIC_eps_00.0"]
    else:
        assert "nlce" in dict(names["network"].down_4.named_children())
