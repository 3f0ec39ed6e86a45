# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import importlib
import shlex
from pathlib import Path
from typing import Any

import pytest
from fire.core import Fire

from pipeline.settings import inferring_command

ROOT = Path(__file__).parents[2]
JSRT = "bundles/nlcen_jsrt"
# the package's attribute of this name is the function
module = importlib.import_module("pipeline.settings.inferring_command")


def arguments(monkeypatch: pytest.MonkeyPatch, files: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """What MONAI's command line reads of the command, of which a shell has made words."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(module, "command_line", lambda: (files, settings))
    command = inferring_command()
    assert command is not None
    program, words = shlex.split(command)[:5], shlex.split(command)[5:]
    assert program == ["python", "-m", "monai.bundle", "run", "inferring"]

    def read(**found: Any) -> None:
        given.update(found)

    given: dict[str, Any] = {}
    Fire(read, words)
    return given


def test_what_defines_the_network_is_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [f"{JSRT}/{name}.json" for name in ("train", "networks/unet", "recipes/unet", "multi_gpu_train")]
    settings = {
        "dataset_dir": "data/mine",
        "output_dir": "runs",
        "max_epochs": 3,
        "nlce": False,
        "image_size": [64, 64],
        "network_def#context": False,
        "backbone_weights": "resnet.pt",
        "progress": False,
    }
    assert arguments(monkeypatch, files, settings) == {
        "config_file": [f"{JSRT}/inference.json", f"{JSRT}/networks/unet.json"],
        "nlce": False,
        "image_size": [64, 64],
        "network_def#context": False,
    }


def test_a_plain_training(monkeypatch: pytest.MonkeyPatch) -> None:
    found = arguments(monkeypatch, f"{JSRT}/train.json", {"max_epochs": 3})
    assert found == {"config_file": f"{JSRT}/inference.json"}


def test_no_command_without_an_inference_or_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inferring_command() is None
    monkeypatch.setattr(module, "command_line", lambda: (str(tmp_path / "train.json"), {}))
    assert inferring_command() is None
