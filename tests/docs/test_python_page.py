# SPDX-License-Identifier: Apache-2.0

"""The examples of the documentation's pages run as they stand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pipeline.robustness import assessor

from .pages import ROOT, blocks


@pytest.fixture(autouse=True)
def few_checks_and_no_diagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take time, and have tests of their own."""
    monkeypatch.setattr(assessor, "CHECKS", assessor.CHECKS[:1])
    writing = import_module("pipeline.robustness.report.write_report")
    monkeypatch.setattr(writing, "draw_figures", lambda report, folder: [])
    monkeypatch.setattr(writing, "save_gallery_picture", lambda shown, path: None)
    monkeypatch.setattr(writing, "make_page", lambda report, figures: "")


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
