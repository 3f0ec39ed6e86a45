# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine

from pipeline.handlers import RunCost
from pipeline.runs import add_cost, read_cost
from pipeline.utils import InputError


def run(path: Path, phase: str, seconds: float, fail: bool = False) -> None:
    def step(engine: Engine, batch: int) -> None:
        time.sleep(seconds)
        if fail and batch == 2:
            raise RuntimeError("stop")

    engine = Engine(step)
    RunCost(path, phase, torch.device("cpu")).attach(engine)
    engine.run(range(3), max_epochs=1)


def test_seconds_add_up_over_processes_and_phases(tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    run(path, "training", 0.02)
    first = json.loads(path.read_text())
    assert first.keys() == {"training_seconds", "peak_memory_mb", "device"} and first["training_seconds"] >= 0.06
    run(path, "training", 0.02)
    run(path, "evaluation", 0.01)
    cost = json.loads(path.read_text())
    assert cost["training_seconds"] >= first["training_seconds"] + 0.06
    assert cost["evaluation_seconds"] >= 0.03
    # an interpreter with torch is above 50 MB and below 50 GB
    assert 50 < first["peak_memory_mb"] <= cost["peak_memory_mb"] < 50_000


def test_a_run_that_goes_on_elsewhere_names_both_devices(tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    for device in ("A", "A 2", "A", "A 2"):
        add_cost(path, "training", 1.5, 10.0, device)
    assert read_cost(path) == {"training_seconds": 6.0, "peak_memory_mb": 10.0, "device": "A and A 2"}


def test_what_has_passed_before_an_interruption_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.handlers.run_cost._SAVE_EVERY", 0.0)
    path = tmp_path / "cost.json"
    with pytest.raises(RuntimeError, match="^stop$"):
        run(path, "evaluation", 0.02, fail=True)
    assert json.loads(path.read_text())["evaluation_seconds"] >= 0.04


@pytest.mark.parametrize("content", ["{", "[]", '{"training_seconds": "long"}'])
def test_damaged_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cost.json"
    path.write_text(content)
    message = f"{path} is not the file of a run's cost, or is damaged; remove it and go on."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run(path, "training", 0.0)
