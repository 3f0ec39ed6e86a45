# SPDX-License-Identifier: Apache-2.0
"""The commands behind the doors of the documentation do what they say, on phantoms and at a small size."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT, blocks, commands

pytestmark = pytest.mark.slow

# the order in which a user goes through them: what one trains is what the next one attacks
DOORS = ("your_data", "robust_training", "robustness", "model_zoo", "README", "dicom", "packages", "your_network")
RUN = ["python", "-m", "monai.bundle", "run"]
SMALL = {
    "training": ["--max_epochs", "1", "--epsilons", "[1.0]", "--panels", "1"],
    "evaluating": ["--epsilons", "[1.0]", "--panels", "1"],
    "robustness": ["--budget", "quick", "--epsilons", "[2.0]"],
    "inferring": [],
    "exporting": [],
}
# what comes last on a command line counts
FEW = {"phantoms": ["--count", "4", "--size", "32"], "subset": ["--hold-out", "2"]}
WRITTEN = {
    "training": "bundles/nlcen_jsrt/models/model.pt",
    "evaluating": "bundles/nlcen_jsrt/eval/evaluating_*/result.json",
    "robustness": "bundles/nlcen_jsrt/robustness/report.html",
    "exporting": "filled/model.onnx",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a clone has it, with phantoms as the user's raw data and as JSRT."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(
        ROOT / "bundles", folder / "bundles", symlinks=True, ignore=shutil.ignore_patterns("eval", "models")
    )
    for name, seed in (("raw", "0"), ("other", "1")):
        size = ["--count", "4", "--size", "32", "--seed", seed]
        run(folder, ["python", "-m", "data_prep", "phantoms", "--output", name, *size])
    for path in (folder / "other").glob("*/*.png"):
        path.rename(path.with_name(f"other_{path.name}"))
    shutil.copytree(folder / "raw", folder / "data/jsrt")
    return folder


@pytest.mark.parametrize("door", DOORS)
def test_the_commands_of_a_door_run(door: str, folder: Path) -> None:
    page = ROOT / ("README.md" if door == "README" else f"docs/{door}.md")
    ran = 0
    for words in (words for block in blocks(page, "bash", "") for words in commands(block)):
        if words[:4] == RUN:
            pattern = "filled/report.html" if "--robustness_dir" in words else WRITTEN.get(run_id(words))
            for earlier in folder.glob(pattern) if pattern else ():
                earlier.unlink()
            run(folder, small(filled(words), folder))
            assert not pattern or list(folder.glob(pattern)), words
        # the two public sets have files of their own kinds, which tests/data_prep lays out
        elif words[:3] == ["python", "-m", "data_prep"] and words[3] not in ("jsrt", "isbi2016"):
            run(folder, filled(words) + FEW.get(words[3], []))
        else:
            continue
        ran += 1
    assert ran


def filled(words: list[str]) -> list[str]:
    """Put what is there in the place of ``<what is to be filled in>``."""
    inferring = "inferring" in words
    value = {
        "--images": "raw/images",
        "--masks": "raw/masks",
        "--test-images": "other/images",
        "--test-masks": "other/masks",
        "--dataset_dir": "raw/images" if inferring else "data/mine",
        "--ckpt_path": "unet.pt" if "unet" in " ".join(words) else "bundles/nlcen_jsrt/models/model.pt",
        "--bundle_root": "bundles/nlcen_jsrt",
        "--config_file": None,
    }
    found = []
    for before, word in zip(["", *words], words, strict=False):
        if "FILL_IN" in word or before == "--ckpt_path":
            given = value.get(before, "filled")
            word = word.replace("FILL_IN", "bundles/nlcen_jsrt") if given is None else given
        found.append(word)
    return found


def run_id(words: list[str]) -> str:
    """What a bundle's command runs; a zoo bundle's training has no name of its own."""
    return words[4] if words[4] in SMALL else "training"


def small(words: list[str], folder: Path) -> list[str]:
    """Make a run short, and train the weights that it asks for."""
    size = ["--image_size", "[32,32]", "--progress", "False"]
    if "unet.pt" in words and not (folder / "unet.pt").exists():
        network = "['bundles/nlcen_jsrt/train.json','bundles/nlcen_jsrt/networks/unet.json']"
        settings = ["--nlce", "True", "--dataset_dir", "data/mine", "--sweep", "False", "--ckpt_dir", "unet"]
        run(folder, [*RUN, "training", "--config_file", network, *settings, *size, *SMALL["training"]])
        shutil.copy(folder / "unet/model.pt", folder / "unet.pt")
    options = SMALL[run_id(words)]
    given = [option for option in options[::2] if option in words]
    return [
        *words,
        *size,
        *(word for pair in zip(options[::2], options[1::2], strict=True) if pair[0] not in given for word in pair),
    ]


def run(folder: Path, words: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlruns.db"}
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
