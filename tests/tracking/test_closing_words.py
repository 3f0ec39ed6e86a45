# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ignite.distributed as idist
import pytest
from fire.core import Fire

from pipeline.tracking import closing_words, inferring_command, print_closing_words

ROOT = Path(__file__).parents[2]
JSRT = "bundles/nlcen_jsrt"


def arguments(monkeypatch: pytest.MonkeyPatch, files: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """What MONAI's command line reads of the command, of which a shell has made words."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(closing_words, "command_line", lambda: (files, settings))
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
    monkeypatch.setattr(closing_words, "command_line", lambda: (str(tmp_path / "train.json"), {}))
    assert inferring_command() is None


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        (
            "sqlite:////home/me/my runs/mlruns.db",
            'python -m mlflow ui --backend-store-uri "sqlite:////home/me/my runs/mlruns.db"   '
            "(then http://127.0.0.1:5000, 'lungs')",
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
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    print_closing_words(tracker, Path("runs/a training/model.pt"), "python -m this")
    assert capsys.readouterr().out == ""
