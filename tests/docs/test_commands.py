# SPDX-License-Identifier: Apache-2.0
"""Every command of the documentation names files, settings, options and targets that exist."""

from __future__ import annotations

import argparse
import ast
import json
import re
import runpy
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigParser

from data_prep import isbi2016, jsrt, pairs, phantoms, subset
from pipeline.settings.bundle_settings import optional_settings

from .pages import PAGES, ROOT, blocks, commands

COMMANDS = [
    pytest.param(words, id=f"{page.stem}: {' '.join(words)}"[:100])
    for page in PAGES
    for block in blocks(page, "bash", "")
    for words in commands(block)
]
NEEDS_MAKEFILE = pytest.mark.skipif(not (ROOT / "Makefile").exists(), reason="the container's image has no Makefile")
OURS = ("bundles/", "cluster/", "docker/", "docs/", "experiments/", "integrations/", "locks/", "tests/")


@pytest.mark.parametrize("words", COMMANDS)
def test_the_command_names_what_exists(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    check(words, monkeypatch, capsys)


TRAIN = "python -m monai.bundle run training --config_file bundles/nlcen_jsrt/train.json"


@pytest.mark.parametrize(
    "line",
    [
        f"{TRAIN} --max_epoch 3",
        f"{TRAIN} --train#dataloder#shuffle True",
        TRAIN.replace("run training", "run trainin"),
        TRAIN.replace("train.json", "train.jsn"),
        TRAIN.replace(
            "bundles/nlcen_jsrt/train.json", "\"['bundles/nlcen_jsrt/train.json','bundles/robustnes.json']\""
        ),
        "python -m data_prep pairs --image x",
        "python -m data_prep pair --images x",
        "python -m experiments reports --results x",
        pytest.param("make papers", marks=NEEDS_MAKEFILE),
        pytest.param("make paper MINUTE=9", marks=NEEDS_MAKEFILE),
        "cluster/trains.sbatch nlcen_jsrt",
    ],
)
def test_a_misspelled_command_is_noticed(line: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (words,) = commands(line)
    with pytest.raises(AssertionError):
        check(words, monkeypatch, capsys)


def test_the_table_of_settings_has_the_defaults() -> None:
    rows = re.findall(r"^\| (`--.*?) \| (.*?) \|", (ROOT / "docs/your_data.md").read_text("utf-8"), re.MULTILINE)
    config = merged(("bundles/nlcen_jsrt/train.json",))
    config = optional_settings(config) | config
    assert len(rows) > 9
    for names, defaults in rows:
        keys = re.findall(r"--(\w+)", names)
        assert config.keys() >= set(keys)
        for key, shown in zip(keys, defaults.replace("`", "").split(", "), strict=False):
            if isinstance(config[key], (int, float)):
                assert str(config[key]) == shown


def check(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Fail unless everything that a command names exists."""
    for word in words:
        for path in re.findall(r"[\w./-]+", word):
            assert not path.startswith(OURS) or "FILL_IN" in word or "/eval/" in path or (ROOT / path).exists(), path
    if words[0] == "make" and (ROOT / "Makefile").exists():
        check_make(words[1:])
    if "monai.bundle" in words:
        run, *arguments = words[words.index("monai.bundle") + 1 :]
        if run == "run":
            check_bundle(arguments)
    elif words[:2] == ["python", "-m"] and words[2] != "pytest":
        check_module(words[2:], monkeypatch, capsys)


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable:
            assert re.search(rf"\$\({name}\)|ifdef {name}\b", makefile), name
        else:
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def check_bundle(words: list[str]) -> None:
    """Check the run id and settings of ``python -m monai.bundle run``."""
    if words[0].startswith("--"):
        words = ["run", *words]  # MONAI's default
    run_id, options = words[0], dict(zip(words[1::2], words[2::2], strict=True))
    files = options.pop("--config_file")
    names = ast.literal_eval(files) if files.startswith("[") else [files]
    if any("FILL_IN" in name for name in names):
        assert all("FILL_IN" in name or (ROOT / name).is_file() for name in names), names
        return
    config = merged(tuple(names))
    config = optional_settings(config) | config
    assert run_id in config, run_id
    for option in options:
        assert option.startswith("--"), option
        assert has_key(config, option.removeprefix("--").split("#")), option


def has_key(config: Any, path: list[str]) -> bool:
    for part in path:
        if isinstance(config, list):
            config = dict(enumerate(map(str, config)))
        if not isinstance(config, dict) or part not in config:
            return False
        config = config[part]
    return True


@cache
def merged(names: tuple[str, ...]) -> dict[str, Any]:
    for name in names:
        assert (ROOT / name).is_file(), name
    parser = ConfigParser()
    parser.read_config([str(ROOT / name) for name in names])
    return dict(parser.get())


def check_module(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Check the options of a command line against what ``--help`` at its end prints."""
    monkeypatch.setattr(sys, "argv", [*words, "--help"])
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    assert end.value.code == 0, capsys.readouterr().err
    told = re.findall(r"--[\w-]+", capsys.readouterr().out)
    for word in words:
        assert not word.startswith("--") or word.partition("=")[0] in told, word


TRAINING = "bundles/adversarial_training.json"
PAGES_OF_SETTINGS = [
    "dicom",
    "mlflow",
    "model_zoo",
    "paper_reading",
    "robust_training",
    "robustness",
    "your_data",
    "your_network",
]


@pytest.mark.parametrize("page", PAGES_OF_SETTINGS)
def test_settings_in_the_text_exist(page: str) -> None:
    parser = argparse.ArgumentParser(conflict_handler="resolve")
    for command in (isbi2016, jsrt, pairs, phantoms, subset):
        command.add_arguments(parser)
    known = {option.removeprefix("--") for option in parser._option_string_actions}
    known |= {"key", "tracking", "save_execute_config"}  # MONAI's own
    train = "bundles/nlcen_jsrt/train.json"
    own = [f"bundles/nlcen_jsrt/{name}.json" for name in ("readings/transfer", "networks/unet", "ablation/frozen")]
    for name in (*own, "bundles/nlcen_jsrt/defence/mixed.json", "bundles/robustness.json", TRAINING):
        known |= merged((train, "bundles/nlcen_jsrt/evaluate.json", name)).keys()
    known |= optional_settings(["train"]).keys() | merged(("bundles/nlcen_jsrt/inference.json",)).keys()
    text = re.sub(r"^```.*?^```", "", (ROOT / f"docs/{page}.md").read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    named = {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"(?<!\S)--(\w[\w-]*)", code)}
    assert named and named <= known, named - known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_json_in_the_pages_is_json(page: Path) -> None:
    for block in blocks(page, "json"):
        assert isinstance(json.loads(block), dict)
