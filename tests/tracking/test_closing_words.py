# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.tracking import print_closing_words


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        (
            "sqlite:////home/me/my runs/mlruns.db",
            'python -m pipeline.tracking ui --store "sqlite:////home/me/my runs/mlruns.db"',
        ),
        ("http://host:5000", "http://host:5000, experiment 'lungs'"),
    ],
)
def test_closing_words(
    uri: str, where: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"mlflow": {"tracking_uri": uri, "experiment": "lungs", "run_id": "1"}}
    tracker: Any = SimpleNamespace(run=SimpleNamespace(path=Path("runs/training_1"), record=record))
    print_closing_words(tracker, Path("runs/a training/model.pt"), "python -m this")
    lines = [
        "Run folder:  runs/training_1",
        "Weights:     runs/a training/model.pt",
        f"MLflow:      {where}",
        "Try it on pictures of your own:",
        '  python -m this --ckpt_path "runs/a training/model.pt" --dataset_dir <folder>',
    ]
    assert capsys.readouterr().out.splitlines() == lines
    print_closing_words(tracker, Path("runs/a training/model.pt"), None)
    assert capsys.readouterr().out.splitlines() == lines[:3]
    monkeypatch.setenv("RANK", "1")
    print_closing_words(tracker, Path("runs/a training/model.pt"), "python -m this")
    assert capsys.readouterr().out == ""
