# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from PIL import Image
from torch import nn

from pipeline.networks import NLCEN
from pipeline.utils import find_input_error
from pipeline.weights import load_network
from tests.bundles.conftest import ROOT, MakeWorkflow, Start

TRAIN = "bundles/nlcen_jsrt/train.json"
INFERENCE = "bundles/nlcen_jsrt/inference.json"
# the second epoch's rate spoils whatever it is multiplied with
EXPLODING = {
    "train#lr_scheduler": {
        "_target_": "torch.optim.lr_scheduler.LambdaLR",
        "optimizer": "@optimizer",
        "lr_lambda": "$lambda epoch: 1.0 if epoch == 0 else 1e20",
    },
}


class Overflows(nn.Conv2d):
    """Its logits leave the finite numbers where a picture is white."""

    def __init__(self, out_channels: int = 2) -> None:
        super().__init__(1, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * (torch.inf if x.mean() > 0.9 else 1.0)


def overlay(folder: Path, content: dict[str, Any]) -> str:
    (folder / "overlay.json").write_text(json.dumps(content))
    return str(folder / "overlay.json")


def test_a_training_that_diverges_keeps_the_last_good_weights(
    settings: dict[str, str], start: Start, tmp_path: Path
) -> None:
    model = tmp_path / "models" / "model.pt"
    model.parent.mkdir()
    model.write_bytes(b"an earlier training's")
    files = f"['{TRAIN}','{overlay(tmp_path, EXPLODING)}']"
    settings = {**settings, "image_size": "[32,32]", "max_epochs": "4", "sweep": "False"}
    sentences = []
    for _ in range(2):  # the same command again goes on at the last good epoch
        program = start("training", files, settings)
        output = program.finish()
        assert program.status == 1 and "Traceback" not in output
        sentences.append(output.splitlines()[-1])
    (run_dir,) = (tmp_path / "runs").glob("training_*")
    assert sentences[0] == sentences[1]
    assert sentences[0].startswith("error: The training diverged in epoch 2 at a learning rate of 1e+17: the loss is")
    assert f"of epoch 1, are in {run_dir}/checkpoint.pt;" in sentences[0]
    assert model.read_bytes() == b"an earlier training's" and not (run_dir / "model.pt").exists()
    load_network(NLCEN(1), run_dir / "checkpoint.pt")
    client = mlflow.MlflowClient(settings["tracking_uri"])
    (found,) = client.search_runs([client.get_experiment_by_name("nlcen_jsrt").experiment_id])
    assert found.info.status == "FAILED"


def refusal(workflow: ConfigWorkflow) -> str:
    """What a workflow says that ends with an ``InputError``, at its start or in its run."""
    with pytest.raises(RuntimeError) as raised:
        workflow.initialize()
        workflow.run()
    return str(find_input_error(raised.value))


def test_weights_that_are_not_finite_are_not_evaluated(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    state = NLCEN(1).state_dict()
    state["backbone.bn1.running_var"][0] = torch.nan
    torch.save(state, tmp_path / "model.pt")
    assert refusal(make_workflow(TRAIN, "bundles/nlcen_jsrt/evaluate.json")).startswith(
        f"{tmp_path}/model.pt holds numbers that are not finite, first in 'backbone.bn1.running_var', as a training "
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"network_def": "$torch.nn.Conv2d(1, 1, 1)"},
            "The first test picture: the network must give logits, background first, as a tensor of shape (1, 2, 32",
        ),
        (
            {"network_def": "$torch.nn.Conv2d(3, 2, 1)"},
            "The first test picture: Conv2d cannot take images that are a tensor of shape (1, 1, 32, 32) and type ",
        ),
        (
            {"loss": {"_target_": "pipeline.losses.PixelCrossEntropy"}},
            "The first training picture: the loss cannot be computed from what the network gives in training mode, ",
        ),
        (
            {"validate#preprocessing#transforms": "$@train#deterministic_transforms[:-2]"},
            "The first test picture: the masks hold values from 0 to 1, but must hold 0 and 1 only; ",
        ),
        (
            {"train#lr_scheduler#mode": "foo"},
            "train#lr_scheduler cannot be made (ValueError: mode foo is unknown!); correct what the files or --train#",
        ),
        ({"optimizer#lr": -1.0}, "optimizer cannot be made (ValueError: Invalid learning rate: -1.0); "),
        ({"train#sampler#seed": "abc"}, "The training data cannot be put into batches (TypeError: "),
        ({"validate#dataloader#num_workers": -1}, "validate#dataloader cannot be made (ValueError: num_workers"),
        (
            {"loss#weights": [1.0, 2.0]},
            "loss#weights: the network gives 5 outputs, but [1.0, 2.0] are 2 weights.",
        ),
        ({"loss#weights": [1.0, -1.0, 1.0, 1.0, 1.0]}, "loss#weights: [1.0, -1.0, 1.0, 1.0, 1.0]; give finite weights"),
        ({"ckpt_dir": __file__}, f"ckpt_dir: {__file__} cannot be written (File exists); name another folder."),
        (
            {"tracking_uri": "foo://x"},
            "tracking_uri: the MLflow store foo://x does not answer (Model registry functionality is unavailable; got "
            "unsupported URI 'foo://x' for model registry data storage). Start the server",
        ),
        ({"optimizer#weight_decay": -1.0}, "optimizer cannot be made (ValueError: Invalid weight_decay value: -1.0); "),
        ({"validate#attack#step": 0.0}, "step: the step size must be finite and above 0, got 0.0."),
        ({"validate#attack#value_range": "all"}, "value_range: two grey levels are needed, the lower one"),
        ({"register": "a/b"}, "--register must be a name of letters, digits, - and _, or null, got 'a/b'."),
        ({"run_name": 2024}, "--run_name must be text, or null, got 2024."),
        (
            {"epsilons": []},
            "--epsilons must be a list, not empty, such as [2.0,8.0], each entry a number above 0, got [].",
        ),
    ],
)
def test_what_is_wrong_from_the_start_leaves_no_run(
    make_workflow: MakeWorkflow, tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    said = refusal(make_workflow(TRAIN, **{"tracking_uri": f"sqlite:///{tmp_path}/no.db"} | content))
    assert said[: len(message)] == message
    assert not (tmp_path / "runs").exists() and not (tmp_path / "no.db").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"defence_losses": ["foo"]}, "losses: there is no loss 'foo'; there are dice,"),
        ({"average_momentum": 2.0}, "--average_momentum must be a number above 0 and of at most 1, or null, got 2.0."),
    ],
)
def test_what_is_wrong_with_a_defence_leaves_no_run(
    make_workflow: MakeWorkflow, tmp_path: Path, setting: dict[str, Any], message: str
) -> None:
    settings = {"tracking_uri": f"sqlite:///{tmp_path}/no.db"} | setting
    said = refusal(make_workflow(TRAIN, "bundles/nlcen_jsrt/defence/mixed.json", **settings))
    assert said[: len(message)] == message
    assert not (tmp_path / "runs").exists() and not (tmp_path / "no.db").exists()


@pytest.mark.parametrize("channels", [2, 1])
def test_no_mask_is_written_where_the_logits_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], channels: int
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    (tmp_path / "in").mkdir()
    for name, value in (("a", 100), ("b", 255), ("c", 30)):
        Image.fromarray(np.full((40, 30), value, np.uint8)).save(tmp_path / "in" / f"{name}.png")
    torch.save(Overflows(channels).state_dict(), tmp_path / "model.pt")
    workflow = ConfigWorkflow(
        config_file=INFERENCE,
        workflow_type="infer",
        logging_file=False,
        dataset_dir=str(tmp_path / "in"),
        output_dir=str(tmp_path / "out"),
        ckpt_path=str(tmp_path / "model.pt"),
        network_def={"_target_": f"{__name__}.Overflows", "out_channels": channels},
        image_size=[32, 32],
        progress=False,
    )
    refusal(workflow)
    written = sorted(path.name for path in (tmp_path / "out").glob("*_mask.png"))
    assert written == (["a_mask.png", "c_mask.png"] if channels == 2 else [])
    failed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed: ")]
    if channels == 2:
        (line,) = failed
        assert "b.png" in line and "the network gives logits that are not finite; " in line
    else:
        assert len(failed) == 3 and all("gives a tensor of shape (1, 1, 32, 32) and type" in line for line in failed)
