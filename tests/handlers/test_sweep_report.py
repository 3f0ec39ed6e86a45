# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.figures import mean_scores
from pipeline.handlers import AdversarialEvaluation, RunCost, SweepReport
from pipeline.handlers.robustness_summary import eps_half_lost, robustness_summary
from pipeline.runs import add_cost, device_name

from .engines import make_data, make_evaluator, make_network


class Notes:
    """A tracker that only remembers."""

    def __init__(self) -> None:
        self.artifacts: list[tuple[str, str | None]] = []
        self.metrics: dict[str, float] = {}
        self.tags: dict[str, str] = {}
        code = [{"commit": "abc", "dirty": True}, {"commit": "abc", "dirty": False}, {"commit": None, "dirty": False}]
        self.run = SimpleNamespace(record={"code": code})

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.metrics |= metrics

    def log_tags(self, tags: dict[str, str]) -> None:
        self.tags |= tags

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        assert Path(path).stat().st_size > 0
        self.artifacts.append((Path(path).name, folder))


def report(
    folder: Path, epsilons: tuple[float, ...], data: list[dict[str, Any]] | None = None, save_count: int = 1
) -> tuple[AdversarialEvaluation, Notes]:
    adversarial = AdversarialEvaluation(
        epsilons=epsilons, progress=False, save_dir=folder / "adversarial", save_count=save_count
    )
    notes = Notes()
    make_evaluator(
        make_network(),
        make_data(4) if data is None else data,
        [
            adversarial,
            RunCost(folder / "cost.json", "evaluation", torch.device("cpu")),
            SweepReport(
                adversarial, notes, folder / "report", "NLCEN", {"network": "Tiny", "seed": 3}, folder / "cost.json"
            ),
        ],
    ).run()
    return adversarial, notes


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adversarial, notes = report(tmp_path, (2.0, 8.0))
    expected = [
        ("summary.csv", None),
        ("per_image.csv", None),
        ("epsilon_curve.png", None),
        ("panel_image0.png", "panels"),
        ("result.json", None),
    ]
    assert notes.artifacts == expected
    assert {path.name for path in (tmp_path / "report").iterdir()} == {name for name, _ in expected}
    rows = read(tmp_path / "report" / "per_image.csv")
    assert [{"image": row["image"], **{key: float(row[key]) for key in ("epsilon", "DIC", "JSC")}} for row in rows] == (
        adversarial.table
    )
    summary = read(tmp_path / "report" / "summary.csv")
    assert [{key: float(value) for key, value in row.items()} for row in summary] == mean_scores(adversarial.table)
    found = robustness_summary(mean_scores(adversarial.table))
    assert notes.metrics == {f"robustness/{key}": value for key, value in found.items()}
    assert ("eps_half_DIC" in found) is (notes.tags == {})
    assert notes.tags in ({}, {"robustness.eps_half_DIC": "not up to 8"})
    printed = capsys.readouterr().out.splitlines()
    assert printed[-4] == "    ε     DIC     JSC"
    clean = [row for row in adversarial.table if row["epsilon"] == 0]
    means = [np.mean([row[key] for row in clean]) for key in ("DIC", "JSC")]
    assert printed[-3] == f"  0.0  {means[0]:.4f}  {means[1]:.4f}"
    assert printed[-1].startswith("  8.0  ")


def test_no_id_leaves_the_folder_and_each_has_its_panel(tmp_path: Path) -> None:
    ids = ["../../../x", "patient1/x", "/x", "..", ".hidden", "a.b", "50 %#?", "=2F"]
    data = make_data(len(ids))
    for entry, name in zip(data, ids, strict=True):
        entry["id"] = name
    folder = tmp_path / "a" / "b" / "run"
    _, notes = report(folder, (2.0,), data, save_count=len(ids))
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.parent for path in files} == {folder, folder / "adversarial", folder / "report"}
    assert len([path for path in files if path.suffix == ".npz"]) == len(ids)
    panels = {path.name for path in (folder / "report").glob("panel_*.png")}
    assert panels == {name for name, kind in notes.artifacts if kind == "panels"} and len(panels) == len(ids)
    assert {"panel_patient1=2Fx.png", "panel_=2E.=2F..=2F..=2Fx.png"} < panels
    # a server would take these for parts of the address
    assert not any(set(name) & set("%#?") for name in panels)
    assert [row["image"] for row in read(folder / "report" / "per_image.csv")][::2] == ids


def test_report_without_a_sweep(tmp_path: Path) -> None:
    adversarial, notes = report(tmp_path, ())
    assert [name for name, _ in notes.artifacts] == ["summary.csv", "per_image.csv", "epsilon_curve.png", "result.json"]
    assert notes.metrics == {} and notes.tags == {}
    assert [row["epsilon"] for row in read(tmp_path / "report" / "summary.csv")] == ["0.0"]


def test_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a GPU that the run does not use
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "a GPU")
    add_cost(tmp_path / "cost.json", "evaluation", 1.0, 0.0, "elsewhere")
    report(tmp_path, (2.0, 8.0))
    result = json.loads((tmp_path / "report" / "result.json").read_text())
    assert result == {
        "network": "Tiny",
        "seed": 3,
        **json.loads((tmp_path / "cost.json").read_text()),
        # ten iterations, of which ε = 2 shares all of its three
        "gradients_per_image": 10,
        "iterations": {"2.0": 3, "8.0": 10},
        # all with which the run was made, not only what is there at its end
        "commit": "abc and unknown",
        "dirty": True,
        "device": f"elsewhere and {device_name(torch.device('cpu'))}",
        "torch": torch.__version__,
    }
    assert result["evaluation_seconds"] > 0


def rows(*scores: float, step: float = 2.0) -> list[dict[str, float]]:
    return [{"epsilon": step * index, "DIC": dic, "JSC": dic / 2} for index, dic in enumerate(scores)]


def test_a_sweep_in_a_few_numbers() -> None:
    assert robustness_summary(rows(0.8, 0.7, 0.6, 0.2, 0.1)) == pytest.approx(
        {
            "DIC_weakest": 0.7,
            "DIC_middle": 0.6,
            "DIC_strongest": 0.1,
            "JSC_weakest": 0.35,
            "JSC_middle": 0.3,
            "JSC_strongest": 0.05,
            "DIC_area": (0.75 + 0.65 + 0.4 + 0.15) / 4,
            "eps_half_DIC": 5.0,
        }
    )
    (only,) = {
        value
        for key, value in robustness_summary(rows(1.0, 0.5)).items()
        if key.startswith("DIC_") and key != "DIC_area"
    }
    assert only == 0.5


@pytest.mark.parametrize(
    ("scores", "half"),
    [((0.8, 0.4), 2.0), ((0.8, 0.7, 0.5), None), ((0.0, 0.0), None), ((0.8, 0.0), 1.0), ((0.8, 0.2, 0.6, 0.1), 4 / 3)],
)
def test_where_half_is_lost(scores: tuple[float, ...], half: float | None) -> None:
    assert eps_half_lost(rows(*scores)) == (None if half is None else pytest.approx(half))
