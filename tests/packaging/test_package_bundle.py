# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import verify_metadata
from PIL import Image

from data_prep.phantoms import prepare_phantoms
from pipeline.networks import NLCEN
from pipeline.packaging import __main__ as command_line
from pipeline.packaging import package_bundle
from pipeline.packaging.model_card import PHANTOM_WARNING
from pipeline.runs import packaged_code
from pipeline.transforms import MaskRange, datalist_fingerprint, write_mask_range
from pipeline.utils import InputError
from pipeline.weights import fingerprint_network
from tests.interpreter import Interpreter

ROOT = Path(__file__).parents[2]
BUNDLES = ("nlcen_jsrt", "nlcen_isbi2016")
ATTACK = {"_target_": "pipeline.attacks.IterativeFGSM", "step": 1.0, "value_range": [0.0, 255.0]}
SETTINGS = {"image_size": [256, 256], "validate": {"attack": ATTACK}}
SCORES = {0.0: (0.981, 0.963), 32.0: (0.1254, 0.0721)}
Change = Callable[[dict[str, Any]], None]

# every module of the package, and a picture's mask by the bundle itself; prints what it has imported of the repository
USE = """
import importlib, pkgutil, sys
import scripts
for module in pkgutil.walk_packages(scripts.__path__, "scripts."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from monai.bundle import run
run("inferring", config_file="configs/inference.json", dataset_dir=sys.argv[1], progress=False, backbone=sys.argv[2])
print([name for name in sys.modules if name.split(".")[0] in ("pipeline", "data_prep")])
"""


def write_run(
    folder: Path, network: torch.nn.Module, data: Path, change: Change | None = None, **settings: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), folder / "model.pt")
    write_mask_range(MaskRange(fingerprint_network(network), 2, (0.1, 0.4), 2), folder / "model.pt")
    result = {
        "network": "NLCEN",
        "variant": "",
        "data": str(data / "datalist.json"),
        "data_fingerprint": datalist_fingerprint(data / "datalist.json"),
        "commit": "c0ffee",
        "dirty": False,
    }
    if change is not None:
        change(result)
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "config.json").write_text(json.dumps({**SETTINGS, "max_epochs": 7, **settings}))
    with open(folder / "summary.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("epsilon", "DIC", "JSC", "images"), *((e, *pair, 1) for e, pair in SCORES.items())])
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    prepare_phantoms(folder, count=4, size=64)
    return folder


@pytest.fixture(scope="module", params=[BUNDLES[0], pytest.param(BUNDLES[1], marks=pytest.mark.slow)])
def packaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: Path) -> tuple[Path, Path]:
    """The bundle in the repository and, unpacked, the one of the zip."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    channels, backbone = {"nlcen_jsrt": (1, "resnet18"), "nlcen_isbi2016": (3, "resnet50")}[request.param]
    run = write_run(folder / "run", NLCEN(in_channels=channels, backbone=backbone), data)
    archive = package_bundle(ROOT / "bundles" / request.param, run, folder / "dist")
    assert archive == folder / "dist" / f"{request.param}.zip"
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    return ROOT / "bundles" / request.param, folder / request.param


def names(folder: Path) -> set[str]:
    found = (Path(base, name) for base, _, files in os.walk(folder, followlinks=True) for name in files)
    return {path.relative_to(folder).as_posix() for path in found}


def test_everything_is_in_it_and_nothing_else(packaged: tuple[Path, Path]) -> None:
    bundle, package = packaged
    inside = names(package)
    configs = {name for name in inside if name.startswith("configs/")}
    assert configs == {f"configs/{name}" for name in names(bundle / "configs")} | {"configs/robustness.json"}
    rest = {name for name in inside if not name.startswith(("configs/", "scripts/"))}
    assert rest == {"LICENSE", "docs/README.md", "docs/data_license.txt", "models/model.pt", "models/model_masks.json"}
    code = {name.removeprefix("scripts/") for name in inside if name.startswith("scripts/")}
    wanted = {f"data_prep/{name}" for name in names(ROOT / "data_prep")} | names(ROOT / "pipeline")
    wanted = {n for n in wanted if n.endswith((".py", ".jinja", ".json")) and not n.startswith("packaging/")}
    assert code == wanted | {"source.json"}


def test_what_an_editor_leaves_behind_is_not_packaged(data: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "nlcen_jsrt"
    shutil.copytree(ROOT / "bundles" / "nlcen_jsrt", bundle, ignore=shutil.ignore_patterns("eval", "models"))
    for name in (".train.json.swp", "train.json~", ".#train.json", "networks/unet.json.orig"):
        (bundle / "configs" / name).write_bytes(b"\xff")
    archive = package_bundle(bundle, write_run(tmp_path / "run", NLCEN(in_channels=1), data), tmp_path / "dist")
    with zipfile.ZipFile(archive) as content:
        inside = {name.split("/configs/")[1] for name in content.namelist() if "/configs/" in name}
    assert inside == names(ROOT / "bundles" / "nlcen_jsrt" / "configs") | {"robustness.json"}


def test_configurations_differ_in_the_package_name_only(packaged: tuple[Path, Path]) -> None:
    bundle, package = packaged
    for name in names(bundle / "configs") - {"metadata.json"}:
        text = (bundle / "configs" / name).read_text().replace("pipeline.", "scripts.")
        assert (package / "configs" / name).read_text() == text


@pytest.mark.slow
def test_it_works_without_the_repository(
    packaged: tuple[Path, Path], data: Path, tmp_path: Path, interpreter: Interpreter
) -> None:
    bundle, package = packaged
    backbone = {"nlcen_jsrt": "resnet18", "nlcen_isbi2016": "resnet50"}[bundle.name]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = [str(data / "images"), backbone]
    done = subprocess.run(
        [sys.executable, "-c", USE, *arguments], cwd=package, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "not checked" not in done.stdout  # whether the masks are like those of the training

    settings = ["--ckpt_path", str(package / "models/model.pt"), "--output_dir", str(tmp_path), "--progress", "False"]
    command = ["run", "inferring", "--dataset_dir", str(data / "images")]
    command += ["--config_file", str(bundle / "inference.json")]
    assert interpreter.start_module("monai.bundle", [*command, *settings], ROOT).wait() == 0
    masks = sorted(tmp_path.glob("*_mask.png"))
    assert len(masks) == 4
    for mask in masks:
        other = package / "eval" / "inference" / mask.name
        assert np.array_equal(np.asarray(Image.open(mask)), np.asarray(Image.open(other)))


def test_card_and_metadata_tell_where_the_weights_come_from(packaged: tuple[Path, Path]) -> None:
    bundle, package = packaged
    card = (package / "docs" / "README.md").read_text()
    assert card.splitlines()[0] == PHANTOM_WARNING
    for said in ("7 epochs", "3 pictures", "4 chest-radiograph phantoms, 64 x 64, seed 0", "commit c0ffee"):
        assert said in card
    assert "| 0 | 0.981 | 0.963 |\n| 32 | 0.125 | 0.072 |\n" in card
    assert "Not for clinical use" in card and "pip install torch==" in card
    assert not re.search(r"bundles/|<!--|-->|\{weights\}|\{packages\}|No weights come|root of the repository", card)
    for file in re.findall(r"configs/[\w/]+\.json", card):
        assert (package / file).is_file(), file

    file = package / "configs" / "metadata.json"
    verify_metadata(meta_file=str(file), filepath=str(ROOT / "bundles" / "metadata_schema.json"))
    metadata = json.loads(file.read_text())
    assert metadata["data_source"].startswith("weights: 4 chest-radiograph phantoms, 64 x 64, seed 0; ")
    assert metadata["eval_metrics"] == {
        "DIC clean": 0.981,
        "JSC clean": 0.963,
        "DIC at ε = 32": 0.1254,
        "JSC at ε = 32": 0.0721,
    }


@pytest.mark.parametrize("name", BUNDLES)
def test_metadata_pins_what_the_repository_pins(name: str) -> None:
    metadata = json.loads((ROOT / "bundles" / name / "configs" / "metadata.json").read_text())
    own = {"torch": "pytorch_version", "monai": "monai_version", "numpy": "numpy_version"}
    pins = {package: metadata[key] for package, key in own.items()} | metadata["required_packages_version"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    # tests and the report of the comparison are no part of a bundle
    assert pins == {key: pin for key, pin in wanted.items() if not key.startswith(("pytest", "jinja2"))}


def test_a_package_knows_its_commit_and_whether_it_was_changed(packaged: tuple[Path, Path]) -> None:
    scripts = packaged[1] / "scripts"
    source = json.loads((scripts / "source.json").read_text())
    (scripts / "source.json").write_text(json.dumps(source | {"commit": "abc", "dirty": False}))
    clean = {"commit": "abc", "dirty": False}
    assert packaged_code(scripts) == clean
    for file in (scripts / "networks" / "nlce.py", packaged[1] / "configs" / "train.json"):
        content = file.read_bytes()
        file.write_bytes(content + b" ")
        assert packaged_code(scripts) == clean | {"dirty": True}
        file.write_bytes(content)
        assert packaged_code(scripts) == clean
    mine = scripts / "networks" / "mine.py"
    mine.write_text("")
    assert packaged_code(scripts) == clean | {"dirty": True}
    mine.unlink()
    (packaged[1] / "models" / "other.pt").write_text("")
    assert packaged_code(scripts) == clean
    assert packaged_code(ROOT / "pipeline") is None


def test_the_same_content_makes_the_same_file(tmp_path: Path, data: Path) -> None:
    run = write_run(tmp_path / "run", NLCEN(in_channels=1), data)
    first, second = (package_bundle(ROOT / "bundles" / "nlcen_jsrt", run, tmp_path / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_defended_network_gets_a_name_of_its_own(tmp_path: Path, data: Path) -> None:
    run = write_run(tmp_path / "run", NLCEN(in_channels=1), data, lambda result: result.update(variant="mixed defence"))
    options = ["--run", str(run), "--output", str(tmp_path), "--name", "nlcen_jsrt_robust"]
    assert command_line.main([str(ROOT / "bundles" / "nlcen_jsrt"), *options]) == 0
    with zipfile.ZipFile(tmp_path / "nlcen_jsrt_robust.zip") as content:
        assert {name.split("/")[0] for name in content.namelist()} == {"nlcen_jsrt_robust"}
        card = content.read("nlcen_jsrt_robust/docs/README.md").decode()
        assert "nlcen_jsrt_robust/configs/defence/mixed.json" in content.namelist()
    assert "by adversarial training (`configs/defence/mixed.json`)" in card


def test_bad_runs_are_refused(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, network = ROOT / "bundles" / "nlcen_jsrt", torch.nn.Conv2d(1, 2, 1)

    def refuse(message: str, run: Path, bundle: Path = bundle) -> None:
        with pytest.raises(InputError, match="^" + re.escape(message)):
            package_bundle(bundle, run, tmp_path / "dist")

    refuse(
        f"{tmp_path} is no bundle: there is no {tmp_path / 'configs' / 'inference.json'}.", tmp_path, bundle=tmp_path
    )
    refuse(
        f"{tmp_path / 'none'} is no folder of a finished training: result.json is missing; name one, such as "
        "bundles/nlcen_jsrt/eval/training_<time>.",
        tmp_path / "none",
    )
    run = write_run(tmp_path / "foreign", network, data)
    refuse(f"{run / 'model.pt'} holds the weights of another network: ", run)
    torch.save({"weight": torch.tensor([torch.nan])}, run / "model.pt")
    refuse(f"{run / 'model.pt'} holds numbers that are not finite, first in 'weight', ", run)
    (run / "model.pt").unlink()
    refuse(f"{run} has no model.pt; name the folder of a training.", run)
    run = write_run(tmp_path / "unet", network, data, lambda result: result.update(network="UNet"))
    refuse(
        f"{run} is a training of UNet; a bundle takes the weights of its own network, NLCEN as train.json has it, or ",
        run,
    )
    run = write_run(tmp_path / "readings", network, data, lambda result: result.update(variant="paper_recipe"))
    refuse(f"{run} is a training of NLCEN paper_recipe; a bundle takes the weights of its own network, ", run)
    run = write_run(tmp_path / "small", network, data, image_size=[64, 64])
    refuse(f"{run} was run with image_size [64, 64], which is [256, 256] in {bundle}; a bundle takes", run)
    run = write_run(tmp_path / "other attack", network, data, validate={"attack": {**ATTACK, "step": 2.0}})
    refuse(f"{run} was run with validate#attack {ATTACK | {'step': 2.0}}, which is {ATTACK} in {bundle}; ", run)
    run = write_run(tmp_path / "changed", network, data, lambda result: result.update(data_fingerprint="0"))
    refuse(f"The data of {data / 'datalist.json'} has changed since the training {run}; train anew.", run)
    content = json.loads((data / "datalist.json").read_text())
    other = tmp_path / "data"
    prepare_phantoms(other, count=4, size=64)
    (other / "datalist.json").write_text(json.dumps(content | {"description": ""}))
    run = write_run(tmp_path / "unnamed", network, other)
    refuse(
        f"{other / 'datalist.json'} does not say what its data is; prepare it with --description, and train anew.", run
    )
    run = write_run(tmp_path / "good", NLCEN(in_channels=1), data)
    for name in ("../up", "a/b", "x.zip", ""):
        with pytest.raises(InputError, match=r"^--name: letters, digits, _ and - make a bundle's name, got "):
            package_bundle(bundle, run, tmp_path / "dist", name=name)
    assert not (tmp_path / "dist").exists()

    assert command_line.main([str(bundle), "--run", str(tmp_path / "none"), "--output", str(tmp_path)]) == 1
    assert f"error: {tmp_path / 'none'} is no folder of a finished training" in capsys.readouterr().err
