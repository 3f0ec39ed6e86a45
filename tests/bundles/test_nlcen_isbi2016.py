# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow, verify_metadata, verify_net_in_out
from PIL import Image

from data_prep.__main__ import main as data_prep
from pipeline.utils import find_input_error
from tests.bundles.conftest import ROOT

BUNDLE = ROOT / "bundles" / "nlcen_isbi2016"


@pytest.fixture(scope="module")
def skin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training and two test phantoms of 48 × 48, in color."""
    folder = tmp_path_factory.mktemp("skin")
    data_prep(["phantoms", "--kind", "skin", "--output", str(folder), "--count", "8", "--size", "48", "--seed", "1"])
    return folder


@pytest.fixture
def settings(tmp_path: Path, skin: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # a run changes it
    return {
        "dataset_dir": str(skin),
        "output_dir": str(tmp_path / "runs"),
        "ckpt_dir": str(tmp_path / "models"),
        "tracking_uri": store,
        "image_size": [48, 48],
        "max_epochs": 1,
        "batch_size": 3,
        "epsilons": [2.0],
        "panels": 1,
        "progress": False,
    }


def workflow(config_file: list[str] | str, kind: str, settings: dict[str, Any]) -> ConfigWorkflow:
    return ConfigWorkflow(config_file=config_file, workflow_type=kind, logging_file=False, **settings)


def test_metadata_satisfies_the_schema_and_the_network() -> None:
    schema = str(ROOT / "bundles" / "metadata_schema.json")
    verify_metadata(meta_file=str(BUNDLE / "configs" / "metadata.json"), filepath=schema)
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(BUNDLE / "configs" / "metadata.json"),
        config_file=str(BUNDLE / "configs" / "inference.json"),
        n=1,
    )


def test_training_evaluates_color_pictures_and_inference_segments_them(
    settings: dict[str, Any], skin: Path, tmp_path: Path
) -> None:
    training = workflow("bundles/nlcen_isbi2016/train.json", "train", settings)
    training.initialize()
    assert training.check_properties() == []
    assert training.bundle_root == "bundles/nlcen_isbi2016"
    network = training.parser.get_parsed_content("network")
    assert network.normalization.mean.shape[1] == 3
    training.run()
    training.finalize()
    (run_dir,) = (tmp_path / "runs").glob("training_*")
    with open(run_dir / "per_image.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * 2
    result = json.loads((run_dir / "result.json").read_text())
    assert result["network"] == "NLCEN" and result["gradients_per_image"] == 3 and result["training_seconds"] > 0

    inference = workflow(
        "bundles/nlcen_isbi2016/inference.json",
        "infer",
        {
            "dataset_dir": str(skin / "images"),
            "output_dir": str(tmp_path / "masks"),
            "ckpt_path": str(tmp_path / "models" / "model.pt"),
            "image_size": [48, 48],
            "progress": False,
        },
    )
    inference.initialize()
    inference.run()
    inference.finalize()
    masks = sorted((tmp_path / "masks").glob("*_mask.png"))
    assert len(masks) == 8
    with Image.open(masks[0]) as mask:
        assert mask.size == (48, 48) and set(np.unique(np.asarray(mask))) <= {0, 255}


def test_training_pictures_are_flipped_and_turned_anew_in_each_epoch_and_test_pictures_never(
    settings: dict[str, Any],
) -> None:
    parser = workflow("bundles/nlcen_isbi2016/train.json", "train", settings).parser
    dataset, test = (parser.get_parsed_content(f"{part}#dataset") for part in ("train", "validate"))
    transform = parser.get_parsed_content("train#preprocessing")

    def epoch(seed: int) -> list[dict[str, torch.Tensor]]:
        transform.set_random_state(seed=seed)
        return [dataset[index] for index in range(len(dataset))]

    first, second, again = epoch(1), epoch(2), epoch(1)
    for one, two, three in zip(first, second, again, strict=True):
        assert one["image"].shape == (3, 48, 48) and one["label"].shape == (1, 48, 48)
        assert torch.equal(one["image"], three["image"]) and torch.equal(one["label"], three["label"])
        assert not torch.equal(one["image"], two["image"])
        assert set(one["label"].unique().tolist()) <= {0.0, 1.0}
        # lesion and mask are turned together: in these pictures the lesion is darker than the skin around it
        inside = one["label"][0] > 0
        assert one["image"][:, inside].mean() < one["image"][:, ~inside].mean()
    assert torch.equal(test[0]["image"], test[0]["image"])
    assert [type(t).__name__ for t in parser.get_parsed_content("validate#preprocessing").transforms] == [
        type(t).__name__ for t in parser.get_parsed_content("train#deterministic_transforms")
    ]


def train(files: list[str], settings: dict[str, Any], folder: Path, **more: Any) -> dict[str, torch.Tensor]:
    places = {"output_dir": str(folder / "runs"), "ckpt_dir": str(folder)}
    run = workflow([f"bundles/nlcen_isbi2016/{file}" for file in files], "train", {**settings, **places, **more})
    run.initialize()
    run.run()
    run.finalize()
    return torch.load(folder / "model.pt", weights_only=True)


@pytest.mark.slow
def test_the_papers_staged_recipe(settings: dict[str, Any], tmp_path: Path) -> None:
    settings = {**settings, "sweep": False, "backbone": "resnet18"}
    base = train(["train.json"], settings, tmp_path / "base", nlce=False)
    weights = {"initial_weights": str(tmp_path / "base" / "model.pt")}
    without_context = train(["train.json", "ablation/frozen.json"], settings, tmp_path / "ce", context=False, **weights)
    frozen = train(["train.json", "ablation/frozen.json"], settings, tmp_path / "frozen", **weights)
    # not a bit of what was there has changed, the running statistics included; what came on top has
    for state in (without_context, frozen):
        assert all(torch.equal(state[name], value) for name, value in base.items())
        assert {name.split(".")[0] for name in state.keys() - base.keys()} == {"nlce"}
    assert frozen["nlce.3.w_gamma.weight"].abs().max() > 0
    assert "nlce.3.w_gamma.weight" not in without_context and without_context["nlce.0.w_z.weight"].abs().max() > 0
    weights = {"initial_weights": str(tmp_path / "frozen" / "model.pt")}
    tuned = train(["train.json", "ablation/fine_tuned.json"], settings, tmp_path / "tuned", **weights)
    assert tuned.keys() == frozen.keys()
    changed = [name for name in tuned if not torch.equal(tuned[name], frozen[name])]
    assert "backbone.conv1.weight" in changed and "nlce.0.theta.weight" in changed
    # it started there: one epoch at 0.001 does not move weights far
    name = "backbone.layer4.1.conv2.weight"
    assert (tuned[name] - frozen[name]).norm() < 0.5 * frozen[name].norm()
    with pytest.raises(RuntimeError) as error:
        train(["train.json", "ablation/frozen.json"], settings, tmp_path / "nothing")
    assert str(find_input_error(error.value)) == (
        f"initial_weights: there is no file {tmp_path}/nothing/initial.pt; train first, or name the weights with "
        "--initial_weights."
    )
