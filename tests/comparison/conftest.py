# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.comparison import parent_run, runner
from pipeline.comparison.__main__ import main

FAKE_BUNDLE = (sys.executable, "-S", str(Path(__file__).with_name("fake_bundle.py")))


@dataclass
class Project:
    """A matrix of six cells with its bundle and data, and a place for results."""

    folder: Path
    matrix: Path
    results: Path

    def run(self, *options: str) -> int:
        """Run the command line ``run`` with the fake bundle."""
        return main(["run", str(self.matrix), "--results", str(self.results), *options], FAKE_BUNDLE)

    def calls(self) -> list[dict[str, Any]]:
        """The processes of cells that have started, in order."""
        file = self.folder / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def called(self) -> list[str]:
        return [call["name"] for call in self.calls()]

    def change(self, **parts: Any) -> None:
        """Change parts of the matrix; None takes one out."""
        content = {**json.loads(self.matrix.read_text()), **parts}
        self.matrix.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


CELLS = [
    "lungs-nlcen_nlce-seed0",
    "lungs-nlcen-seed0",
    "lungs-ablation-frozen-seed0",
    "lungs-ablation-fine_tuned-seed0",
    "lungs-claim-twelve_bit-nlcen_nlce-seed0",
    "lungs-claim-transfer-nlcen_nlce-seed0",
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    configs = {
        "train": {"max_epochs": 60},
        "evaluate": {},
        "networks/unet": {},
        "networks/cdnn": {},
        "ablation/frozen": {},
        "ablation/fine_tuned": {},
        "readings/twelve_bit": {},
        "readings/transfer": {},
        "variants/scaled_attention": {},
    }
    for name, content in configs.items():
        file = tmp_path / "bundle" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    write_data(tmp_path / "data")
    matrix = {
        "data": {"lungs": {"bundle": str(tmp_path / "bundle"), "dataset_dir": str(tmp_path / "data")}},
        "settings": {"max_epochs": 3},
        "seeds": [0],
        "networks": ["nlcen"],
        "comparison": {"data": ["lungs"], "nlce": [True, False]},
        "ablation": {
            "data": ["lungs"],
            "stages": {
                "frozen": {"from": "without_nlce", "overlay": "frozen", "settings": {"non_local": False}},
                "fine_tuned": {"from": "frozen", "overlay": "fine_tuned"},
            },
        },
        "claim": {
            "data": ["lungs"],
            "networks": ["nlcen_nlce"],
            "readings": ["twelve_bit"],
            "transfer": {"nlcen_nlce": "nlcen"},
        },
    }
    (tmp_path / "toy.json").write_text(json.dumps(matrix))
    monkeypatch.setattr(runner, "_POLL", 0.01)
    monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls.jsonl"))
    return Project(tmp_path, tmp_path / "toy.json", tmp_path / "results")


def write_data(folder: Path, pixels: bytes = b"pixels") -> None:
    """Write a data list of one training and one test picture."""
    folder.mkdir(exist_ok=True)
    lists: dict[str, list[dict[str, str]]] = {}
    for section in ("training", "test"):
        for kind in ("image", "label"):
            (folder / f"{section}_{kind}.png").write_bytes(pixels)
        lists[section] = [{"image": f"{section}_image.png", "label": f"{section}_label.png"}]
    (folder / "datalist.json").write_text(json.dumps({"description": "2 lungs", **lists}))


class FakeParent:
    """Stands for the parent run in MLflow."""

    tracking_uri = "sqlite:///somewhere.db"
    run_id = "1e23"

    def __init__(self) -> None:
        self.statuses: list[str] = []

    def close(self, status: str) -> None:
        self.statuses.append(status)


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> FakeParent:
    """Runs without MLflow."""
    fake = FakeParent()
    monkeypatch.setattr(parent_run, "open_parent_run", lambda *_: fake)
    return fake


@pytest.fixture
def misbehave(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Tells cells how to behave, see ``fake_bundle``."""
    return lambda behavior: monkeypatch.setenv("FAKE_BUNDLE", json.dumps(behavior))
