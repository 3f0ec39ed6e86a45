# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep.__main__ import main
from pipeline.transforms import data_name, load_datalist


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine phantoms for training and three for the test."""
    folder = tmp_path_factory.mktemp("phantoms")
    assert main(["phantoms", "--output", str(folder), "--count", "12", "--size", "32"]) == 0
    return folder


def names(path: Path, section: str) -> list[str]:
    return [entry["id"] for entry in load_datalist(path, section)]


def test_a_part_of_the_training_is_held_out_and_the_test_pictures_are_gone(folder: Path) -> None:
    before = names(folder, "training")
    held = folder / "held_out.json"
    assert main(["subset", "--datalist", str(folder), "--output", str(held), "--hold-out", "4"]) == 0
    assert names(held, "test") == [before[3], before[7]]
    assert names(held, "training") == [name for name in before if name not in (before[3], before[7])]
    assert data_name(held) == (
        "12 chest-radiograph phantoms, 32 x 32, seed 0: 7 training and 2 test pictures, held out of the training"
    )
    assert names(folder, "training") == before and len(names(folder, "test")) == 3


def test_the_first_pictures_of_each_part(folder: Path) -> None:
    few = folder / "few.json"
    options = ["--datalist", str(folder / "datalist.json"), "--output", str(few), "--training", "5", "--test", "2"]
    assert main(["subset", *options]) == 0
    assert names(few, "training") == names(folder, "training")[:5]
    assert names(few, "test") == names(folder, "test")[:2]


def test_a_picture_with_masks_of_several_readers_is_held_out_as_one(folder: Path) -> None:
    one, two, three = load_datalist(folder, "training")[:3]
    training = [
        {**entry, "id": f"{entry['id']}_{reader}", "label": mask["label"]}
        for entry in (one, two, three)
        for reader, mask in (("A", entry), ("B", one if entry is two else two))
    ]
    readers, held = folder / "readers.json", folder / "held_out_readers.json"
    readers.write_text(json.dumps({"training": training, "test": load_datalist(folder, "test")}))
    assert main(["subset", "--datalist", str(readers), "--output", str(held), "--hold-out", "2"]) == 0
    assert names(held, "test") == [f"{two['id']}_A", f"{two['id']}_B"]
    assert names(held, "training") == [f"{entry['id']}_{reader}" for entry in (one, three) for reader in "AB"]


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("few.txt", [], "--output: name another .json file in"),
        ("datalist.json", [], "--output: name another .json file in"),
        ("elsewhere/few.json", [], "--output: name another .json file in"),
        ("bad.json", ["--hold-out", "1"], "--hold-out: every second picture is the most"),
        ("bad.json", ["--hold-out", "10"], "--hold-out: 9 training pictures are fewer than 10"),
        ("bad.json", ["--test", "0"], "--test: at least 1 picture is needed, got 0"),
        ("bad.json", ["--datalist", "no where"], "There is no data list no where/datalist.json."),
        ("bad.json", ["--datalist", "no where"], "phantoms --output 'no where'`"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_written(
    folder: Path, output: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["subset", "--datalist", str(folder), "--output", str(folder / output), *options]) == 1
    assert message in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before
