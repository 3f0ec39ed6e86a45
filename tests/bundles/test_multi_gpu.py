# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
import torch

from data_prep.__main__ import main as data_prep
from pipeline.transforms import load_datalist, read_mask_range
from tests.bundles.conftest import ROOT
from tests.interpreter import Interpreter, Program

BUNDLE = "bundles/nlcen_jsrt"
# instance normalization needs no other process, so that two train exactly as one
NETWORK = {
    "network_def": {
        "_target_": "BasicUNet",
        "spatial_dims": 2,
        "in_channels": "@in_channels",
        "out_channels": 2,
        "features": [8, 8, 8, 8, 8, 8],
    },
}


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training and three test phantoms: what two processes cannot share evenly."""
    folder = tmp_path_factory.mktemp("phantoms")
    data_prep(["phantoms", "--output", str(folder), "--count", "9", "--test-fraction", "0.34", "--size", "32"])
    return folder


def run(
    interpreter: Interpreter, folder: Path, processes: int, run_id: str, *files: str, **settings: object
) -> list[Program]:
    """Run the bundle with this number of processes, as torchrun starts them, writing into ``folder`` only."""
    (folder / "network.json").write_text(json.dumps(NETWORK))
    names = [f"{BUNDLE}/{name}.json" for name in ("train", *files)] + [str(folder / "network.json")]
    settings = {
        "output_dir": folder / "runs",
        "ckpt_dir": folder / "models",
        "tracking_uri": f"sqlite:///{folder}/mlruns.db",
        "image_size": [32, 32],
        "max_epochs": 3,
        "epsilons": [1.0, 4.0],
        "progress": False,
        **settings,
    }
    arguments = ["run", run_id, "--config_file", str(names)]
    arguments += [part for key, value in settings.items() for part in (f"--{key}", str(value))]
    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
    places = [together | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    programs = [interpreter.start_module("monai.bundle", arguments, ROOT, place) for place in places]
    for program in programs:
        program.wait()
    return programs


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def rows(folder: Path, kind: str) -> list[tuple[str, float, float, float]]:
    """The table per image of the one run of a kind, by name: the processes' parts follow one another."""
    (file,) = (folder / "runs").glob(f"{kind}_*/per_image.csv")
    with open(file, newline="") as lines:
        return sorted(
            (row["image"], *(float(row[key]) for key in ("epsilon", "DIC", "JSC"))) for row in csv.DictReader(lines)
        )


def test_two_processes_train_and_attack_as_one(tmp_path: Path, phantoms: Path, interpreter: Interpreter) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, processes, files in zip(folders, (1, 2), ((), ("multi_gpu_train",)), strict=True):
        folder.mkdir()
        done = run(interpreter, folder, processes, "training", *files, dataset_dir=phantoms, batch_size=4)
        assert [program.status for program in done] == [0] * processes, done[0].output
    expected, weights = (torch.load(folder / "models" / "model.pt", weights_only=True) for folder in folders)
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        # Adam divides by the gradient's size: where that is next to nothing, rounding moves a weight by 1e-5 and more
        torch.testing.assert_close(weights[name], value, rtol=1e-3, atol=1e-4)
    # the masks of the whole training set, not of one process's share
    masks = [read_mask_range(folder / "models" / "model.pt") for folder in folders]
    assert masks[0].masks == len(load_datalist(phantoms / "datalist.json", "training"))
    assert replace(masks[1], weights=masks[0].weights) == masks[0]
    one, two = (rows(folder, "training") for folder in folders)
    assert [row[:2] for row in two] == [row[:2] for row in one] and len(one) == 3 * 3
    for row, other in zip(one, two, strict=True):
        assert other[2:] == pytest.approx(row[2:], abs=2e-3)
    # one run for both processes, with every step once; the evaluator's own metric counts no image twice
    client = mlflow.MlflowClient(f"sqlite:///{folders[1]}/mlruns.db")
    (found,) = client.search_runs([client.get_experiment_by_name("nlcen_jsrt").experiment_id])
    assert found.info.status == "FINISHED"
    # the settings of a network that is not this one are not said of it
    assert found.data.params["network"] == "BasicUNet"
    assert not [key for key in found.data.params if "nlce" in key or "backbone" in key]
    clean = [dic for _, epsilon, dic, _ in two if epsilon == 0]
    assert found.data.metrics["test/DIC"] == pytest.approx(sum(clean) / len(clean), abs=1e-6)
    assert [point.step for point in client.get_metric_history(found.info.run_id, "train/loss")] == list(range(1, 7))

    # the same weights, one image per batch: equal to the bit
    weights_file = folders[0] / "models" / "model.pt"
    for folder, processes, files in zip(folders, (1, 2), ((), ("multi_gpu_evaluate",)), strict=True):
        own = {"dataset_dir": phantoms, "batch_size": processes, "ckpt_path": weights_file}
        done = run(interpreter, folder, processes, "evaluating", "evaluate", *files, **own)
        assert [program.status for program in done] == [0] * processes, done[0].output
    assert rows(folders[0], "evaluating") == rows(folders[1], "evaluating")


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path, phantoms: Path, interpreter: Interpreter) -> None:
    done = run(interpreter, tmp_path, 2, "training", "multi_gpu_train", dataset_dir=phantoms, batch_size=3)
    assert [program.status for program in done] == [1, 1]
    assert done[0].output.splitlines()[-1] == (
        "[rank0]: error: batch_size: 3 images cannot be shared evenly by 2 processes; start a number of processes that "
        "divides 3, or change --batch_size."
    )
    assert not (tmp_path / "runs").exists()


def test_a_wrong_setting_is_told_once(tmp_path: Path, phantoms: Path, interpreter: Interpreter) -> None:
    done = run(interpreter, tmp_path, 2, "training", "multi_gpu_train", dataset_dir=phantoms, max_epochs="two")
    assert [program.status for program in done] == [1, 1]
    said = [[line for line in program.output.splitlines() if line.startswith("error: ")] for program in done]
    assert said == [["error: --max_epochs must be a whole number of at least 1, got 'two'."], []]


@pytest.mark.slow
def test_torchrun(tmp_path: Path, phantoms: Path) -> None:
    (tmp_path / "network.json").write_text(json.dumps(NETWORK))
    files = [f"{BUNDLE}/train.json", f"{BUNDLE}/multi_gpu_train.json", str(tmp_path / "network.json")]
    places = ["--dataset_dir", str(phantoms), "--output_dir", str(tmp_path / "runs"), "--ckpt_dir", str(tmp_path)]
    small = ["--tracking_uri", f"sqlite:///{tmp_path}/mlruns.db", "--image_size", "[32,32]", "--max_epochs", "1"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    command += ["monai.bundle", "run", "training", "--config_file", str(files), "--batch_size", "2", *places, *small]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("runs/training_*/result.json"))) == 1
