# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigWorkflow

from data_prep.__main__ import main as data_prep
from tests.interpreter import Interpreter, Program

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "nlcen_jsrt"
Start = Callable[..., Program]
MakeWorkflow = Callable[..., ConfigWorkflow]


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """A bundle that runs in this process lets them count as 0."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training and two test phantoms of 64 × 64."""
    folder = tmp_path_factory.mktemp("phantoms")
    data_prep(["phantoms", "--output", str(folder), "--count", "8", "--size", "64", "--seed", "1"])
    return folder


@pytest.fixture
def settings(tmp_path: Path, phantoms: Path, store: str) -> dict[str, str]:
    """Overrides with which the bundle runs in seconds, and writes into ``tmp_path`` only."""
    return {
        "dataset_dir": str(phantoms),
        "output_dir": str(tmp_path / "runs"),
        "ckpt_dir": str(tmp_path / "models"),
        "tracking_uri": store,
        "image_size": "[64,64]",
        "max_epochs": "2",
        "batch_size": "4",
        "epsilons": "[0.5,2.0,4.0]",
        "panels": "1",
    }


@pytest.fixture
def start(interpreter: Interpreter) -> Start:
    """Start ``python -m monai.bundle run`` from the repository root as a user does."""

    def start_(run_id: str, config_file: str, settings: dict[str, str], **environment: str) -> Program:
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        return interpreter.start_module(
            "monai.bundle", ["run", run_id, "--config_file", config_file, *options], ROOT, environment
        )

    return start_


@pytest.fixture
def make_workflow(tmp_path: Path, phantoms: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> MakeWorkflow:
    """Makes the chest bundle from configuration files and settings, at 32 × 32, writing into ``tmp_path`` only."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # a run changes it

    def make(*files: str, **settings: Any) -> ConfigWorkflow:
        own = {
            "dataset_dir": str(phantoms),
            "output_dir": str(tmp_path / "runs"),
            "ckpt_dir": str(tmp_path),
            "tracking_uri": store,
            "image_size": [32, 32],
            "progress": False,
        }
        return ConfigWorkflow(config_file=list(files), workflow_type="train", logging_file=False, **own | settings)

    return make
