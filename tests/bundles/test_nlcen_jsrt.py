# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow, verify_metadata
from PIL import Image
from scipy.ndimage import label

from pipeline.networks import NLCEN
from pipeline.transforms import data_name, datalist_digests, load_datalist, read_mask_range
from pipeline.weights import fingerprint_network
from tests.bundles.conftest import BUNDLE, ROOT, Start
from tests.interpreter import wait_until

TRAIN = "bundles/nlcen_jsrt/train.json"
# how the weights of an evaluation came about
UNKNOWN = {"max_epochs", "learning_rate", "training_images", "amp"}
EVALUATE = "['bundles/nlcen_jsrt/train.json','bundles/nlcen_jsrt/evaluate.json']"


def runs(settings: dict[str, str], status: str | None = None) -> list[Any]:
    client = mlflow.MlflowClient(settings["tracking_uri"])
    experiment = client.get_experiment_by_name("nlcen_jsrt")
    found = client.search_runs(experiment.experiment_id)
    return [run for run in found if status in (None, run.info.status)]


def rows(run_dir: Path, name: str) -> list[dict[str, str]]:
    with open(run_dir / name, newline="") as file:
        return list(csv.DictReader(file))


def curve(settings: dict[str, str], run: Any, key: str) -> dict[int, float]:
    history = mlflow.MlflowClient(settings["tracking_uri"]).get_metric_history(run.info.run_id, key)
    assert len(history) == len({point.step for point in history}), f"{key} has doubled points"
    return {point.step: point.value for point in history}


def test_root_files_are_links_to_the_canonical_ones() -> None:
    for name in ("train.json", "evaluate.json", "inference.json", "metadata.json", "logging.conf"):
        assert (BUNDLE / name).resolve() == (BUNDLE / "configs" / name)


def test_metadata_satisfies_the_schema() -> None:
    verify_metadata(
        meta_file=str(BUNDLE / "configs" / "metadata.json"), filepath=str(ROOT / "bundles" / "metadata_schema.json")
    )


def test_schema_refuses_incomplete_metadata(tmp_path: Path) -> None:
    metadata = json.loads((BUNDLE / "configs" / "metadata.json").read_text())
    del metadata["network_data_format"]["inputs"]["image"]["dtype"]
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match="'dtype' is a required property"):
        verify_metadata(
            meta_file=str(tmp_path / "metadata.json"), filepath=str(ROOT / "bundles" / "metadata_schema.json")
        )


@pytest.mark.parametrize("folder", ["", "configs/"])
def test_training_workflow_has_all_properties(settings: dict[str, str], folder: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    overrides = {key: json.loads(value) if value[0] in "[0123456789" else value for key, value in settings.items()}
    workflow = ConfigWorkflow(
        config_file=f"bundles/nlcen_jsrt/{folder}train.json", workflow_type="train", logging_file=False, **overrides
    )
    workflow.initialize()
    try:
        assert workflow.check_properties() == []
        assert (torch.tensor(1e-40) == 0).all()
        assert workflow.bundle_root == "bundles/nlcen_jsrt"
        assert workflow.max_epochs == 2
    finally:
        workflow.finalize()


def test_training_attacks_tracks_and_leaves_everything(
    settings: dict[str, str], start: Start, tmp_path: Path, phantoms: Path
) -> None:
    program = start("training", TRAIN, settings)
    output = program.finish()
    assert program.status == 0, output
    (run_dir,) = (tmp_path / "runs").glob("training_*")

    summary = rows(run_dir, "summary.csv")
    assert [float(row["epsilon"]) for row in summary] == [0.0, 0.5, 2.0, 4.0]
    assert len(rows(run_dir, "per_image.csv")) == 2 * 4
    assert f"{float(summary[0]['DIC']):.4f}  {float(summary[0]['JSC']):.4f}" in output
    assert "training: epoch 2/2, loss " in output and "attack: 100% (" in output
    assert output.count(f"Run folder:  {run_dir}\n") == 1
    assert f"python -m pipeline.tracking ui --store {settings['tracking_uri']}\n" in output
    command = output.splitlines()[-1].strip()
    assert command == (
        "python -m monai.bundle run inferring --config_file bundles/nlcen_jsrt/inference.json "
        f'--image_size "[64, 64]" --ckpt_path {run_dir}/model.pt --dataset_dir <folder>'
    )

    (run,) = runs(settings, "FINISHED")
    assert run.info.run_name == "NLCEN · 8 chest-radiograph phantoms, 64 x 64, seed 1 · seed 0"
    assert run.data.tags["run.folder"] == run_dir.name
    assert {given.tags[0].value: given.dataset.digest for given in run.inputs.dataset_inputs} == {
        split: digest[:36] for split, digest in datalist_digests(phantoms / "datalist.json").items() if split != "all"
    }
    assert {given.dataset.name for given in run.inputs.dataset_inputs} == {data_name(phantoms / "datalist.json")}
    assert run.data.metrics["robustness/DIC_strongest"] == float(summary[-1]["DIC"])
    assert not [key for key in run.data.metrics if "_eps_" in key and not key.endswith("_vs_eps")]
    assert sorted(curve(settings, run, "train/loss")) == [1, 2, 3, 4]
    assert sorted(curve(settings, run, "train/epoch_loss")) == [1, 2]
    for metric in ("DIC", "JSC"):
        assert curve(settings, run, f"test/{metric}_vs_eps") == pytest.approx(
            {int(10 * float(row["epsilon"])): float(row[metric]) for row in summary}
        )
    params = run.data.params
    assert params["network"] == "NLCEN" and params["learning_rate"] == "0.001" and params["test_images"] == "2"
    assert params["network_params.nlce"] == "True" and params["network_params.backbone_weights"] == "none"
    assert (params["lr_scheduler.min_lr"], params["attack.step"], params["max_epochs"]) == ("0.0001", "1.0", "2")
    assert not {"dataset_dir", "output_dir", "tracking_uri", "nlce", "optimizer.params"} & params.keys()
    artifacts = {file.path for file in mlflow.MlflowClient(settings["tracking_uri"]).list_artifacts(run.info.run_id)}
    assert {"config.json", "summary.csv", "per_image.csv", "epsilon_curve.png", "panels", "model"} <= artifacts

    weights = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(weights[name], value) for name, value in _load(run_dir / "model.pt").items())
    network = NLCEN(in_channels=1)
    network.load_state_dict(weights)
    items = load_datalist(phantoms / "datalist.json", "training")
    masks = [np.asarray(Image.open(item["label"])) > 0 for item in items]
    areas = [mask.mean() for mask in masks]  # of the size of the training: nothing is resized
    for folder in (run_dir, tmp_path / "models"):
        found = read_mask_range(folder / "model.pt")
        assert (found.weights, found.masks) == (fingerprint_network(network), 6)
        assert found.area == pytest.approx((min(areas), max(areas)))
        assert found.parts == max(label(mask, np.ones((3, 3)))[1] for mask in masks) == 2
    client = mlflow.MlflowClient(settings["tracking_uri"])
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id, "model")}
    assert artifacts == {"model/model.pt", "model/model_masks.json"}

    program = start("evaluating", EVALUATE, settings)
    output = program.finish()
    assert program.status == 0, output
    (evaluation,) = (tmp_path / "runs").glob("evaluating_*")
    assert rows(evaluation, "per_image.csv") == rows(run_dir, "per_image.csv")
    (evaluated,) = [each for each in runs(settings, "FINISHED") if each.data.tags["run.folder"] == evaluation.name]
    params = evaluated.data.params
    assert params["weights"] == fingerprint_network(network) and params["attack.step"] == "1.0"
    assert {"image_size", "batch_size", "seed", "network_params.nlce", "test_images"} <= params.keys()
    assert not [key for key in params if key in UNKNOWN or key.startswith(("loss", "optimizer", "lr_scheduler"))]


def test_run_is_training_and_the_sweep_can_be_skipped(settings: dict[str, str], start: Start, tmp_path: Path) -> None:
    program = start("run", TRAIN, {**settings, "max_epochs": "1", "sweep": "False"})
    output = program.finish()
    assert program.status == 0, output
    (run_dir,) = (tmp_path / "runs").glob("training_*")
    assert [row["epsilon"] for row in rows(run_dir, "summary.csv")] == ["0.0"]


@pytest.mark.slow
def test_killed_training_goes_on_to_the_same_weights(settings: dict[str, str], start: Start, tmp_path: Path) -> None:
    settings = {**settings, "max_epochs": "4", "epsilons": "[0.5]"}
    whole = {**settings, "output_dir": str(tmp_path / "whole"), "ckpt_dir": str(tmp_path / "whole")}
    assert start("training", TRAIN, whole).wait() == 0

    program = start("training", TRAIN, settings)
    wait_until(lambda: list((tmp_path / "runs").glob("*/checkpoint.pt")) or program.poll() is not None)
    program.kill()
    program.wait()
    assert not (tmp_path / "models" / "model.pt").exists()

    # once more, by Ctrl-C
    program = start("training", TRAIN, settings)
    wait_until(lambda: "training: epoch" in program.output or program.poll() is not None)
    program.kill(signal.SIGINT)
    lines = program.finish().splitlines()
    epoch = int(next(line for line in lines if "training: epoch" in line).split("epoch ")[1].split("/")[0])
    kept = {f"Interrupted after epoch {number}. Type the same command again to go on." for number in (epoch, epoch + 1)}
    assert lines[-1] in kept and not any("Traceback" in line or "ERROR" in line for line in lines)
    assert program.status == 130
    assert runs(settings, "KILLED")

    program = start("training", TRAIN, settings)
    output = program.finish()
    assert program.status == 0, output
    (run_dir,) = (tmp_path / "runs").glob("training_*")
    expected = _load(tmp_path / "whole" / "model.pt")
    assert all(torch.equal(value, expected[name]) for name, value in _load(run_dir / "model.pt").items())
    (run,) = [run for run in runs(settings, "FINISHED") if run.data.tags["run.folder"] == run_dir.name]
    assert sorted(curve(settings, run, "train/loss")) == list(range(1, 9))
    assert not runs(settings, "RUNNING")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ({"dataset_dir": "nowhere"}, "error: There is no data list nowhere/datalist.json. Prepare "),
        ({"epsilons": "[2.0,1.0]"}, "error: epsilons: the intensities must rise and not repeat, got [2.0, 1.0]."),
    ],
)
def test_bad_settings_end_in_a_sentence(
    settings: dict[str, str], start: Start, override: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    program = start("training", TRAIN, {**settings, **override})
    output = program.finish()
    assert program.status == 1
    assert output.splitlines()[-1].startswith(sentence)
    assert not list(tmp_path.iterdir())


def test_evaluating_without_or_with_other_weights_says_so(
    settings: dict[str, str], start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "models" / "model.pt"
    program = start("evaluating", EVALUATE, settings)
    assert program.finish().splitlines()[-1] == (
        f"error: ckpt_path: there is no file {path}; train first, or name the weights with --ckpt_path."
    )
    path.parent.mkdir()
    torch.save({"weight": torch.zeros(1)}, path)
    program = start("evaluating", EVALUATE, settings)
    assert f"error: {path} holds the weights of another network" in program.finish().splitlines()[-1]
    assert program.status == 1
    assert not (tmp_path / "runs").exists()


def _load(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)
