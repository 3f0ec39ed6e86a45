# SPDX-License-Identifier: Apache-2.0
"""The notebook runs from its first cell to its last, and is committed without outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch

from .pages import ROOT

CELLS = json.loads((ROOT / "docs/quickstart.ipynb").read_text("utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def test_it_has_no_outputs() -> None:
    assert CODE and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CODE)


@pytest.mark.slow
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        for number, cell in enumerate(CODE):
            exec(compile("".join(cell["source"]), f"cell {number + 1}", "exec"), names)
    report = names["report"]
    assert report["floor"]["8"] < report["clean"]["DIC"]
    worst = [report["worst_case"][epsilon]["DIC"] for epsilon in ("2", "8", "32")]
    assert report["clean"]["DIC"] >= worst[0] >= worst[1] >= worst[2]
    assert report["findings"][0] in capsys.readouterr().out
    assert (tmp_path / "quickstart/report/report.html").exists()
