# SPDX-License-Identifier: Apache-2.0
"""``bundles/adversarial_training.json`` over a bundle in the model zoo's manner."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigWorkflow

from pipeline.defence import AdversarialBatch

ROOT = Path(__file__).parents[3]
OVERLAY = ROOT / "bundles" / "adversarial_training.json"
TRAINING = {
    "train#loss": {"_target_": "DiceLoss", "softmax": True, "to_onehot_y": True},
    "train#optimizer": {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 0.1},
    "train#dataloader": {"_target_": "DataLoader", "dataset": "@train#dataset", "batch_size": 1},
    "train#handlers": [],
    "train#trainer": {
        "_target_": "SupervisedTrainer",
        "max_epochs": 2,
        "device": "@device",
        "train_data_loader": "@train#dataloader",
        "network": "@network",
        "loss_function": "@train#loss",
        "optimizer": "@train#optimizer",
        "train_handlers": "@train#handlers",
        "amp": True,
    },
    "run": ["$@train#trainer.run()"],
}


def train(bundle: Path, config: dict[str, Any], folder: Path) -> ConfigWorkflow:
    files = []
    for name, content in (("training", TRAINING), ("settings", config)):
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(content))
    workflow = ConfigWorkflow(
        config_file=[str(bundle / "configs" / "train.json"), str(files[0]), str(OVERLAY), str(files[1])],
        logging_file=False,
        bundle_root=str(bundle),
        dataset_dir=str(bundle / "data"),
    )
    workflow.initialize()
    workflow.run()
    return workflow


# as the zoo's multi_gpu_train.json has it for the processes that write nothing
ALL_BUT_TWO = {"train#handlers": [{"_target_": "StatsHandler"}, {"_target_": "StatsHandler"}]}
ALL_BUT_TWO |= {"train#trainer#train_handlers": "$@train#handlers[:-2]"}


@pytest.mark.parametrize("handlers", [{}, ALL_BUT_TWO], ids=["all", "all_but_two"])
def test_volumes_of_a_foreign_bundle_are_attacked_while_it_trains(
    handlers: dict[str, Any], volumes: Path, tmp_path: Path
) -> None:
    classes = {"_target_": "pipeline.attacks.Softmax", "channels": 2}
    workflow = train(volumes, {"defence_steps": 2, "classes": classes} | handlers, tmp_path)
    trainer = workflow.parser.get_parsed_content("train#trainer")
    defence = trainer.prepare_batch
    assert isinstance(defence, AdversarialBatch) and defence.epoch == 2
    assert defence.largest_epsilon() == pytest.approx(32 * 2 / 10)
    (clean,), (attacked,) = trainer.state.batch, trainer.state.output
    moved = 255 * (attacked["image"] - clean["image"]).abs().max().item()
    assert 0 < moved <= 6.4 + 1e-3
    before = torch.load(volumes / "models" / "model.pt", weights_only=True)
    assert any(not torch.equal(before[name], value) for name, value in trainer.network.state_dict().items())


def test_it_is_the_defence_of_the_own_bundles() -> None:
    general = json.loads(OVERLAY.read_text())
    mixed = json.loads((ROOT / "bundles/nlcen_jsrt/configs/defence/mixed.json").read_text())
    # what only one has: what the bundles themselves say of their images, how they train, that errors are explained
    apart = {"amp", "classes", "intensity_range", "_requires_"}
    own, others = ({k: v for k, v in each["defence"].items() if k not in apart} for each in (mixed, general))
    others["attack"] = {k: v for k, v in others["attack"].items() if k not in apart}
    assert own == others
    for key in general.keys() - {"defence", "classes", "intensity_range", "+imports", "+initialize"}:
        assert mixed[key] == general[key]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            ["--intensity_range", "[0.0,0.001]"],
            r"Adversarial training: the images hold values from 0 to 1, but must be in \[0, 0.001\]; say a range that "
            r'leaves room for random augmentation, such as --intensity_range "\[-0\.1,1\.1\]", here and in the '
            r"assessment, since ε counts its 255th parts; or scale them in the preprocessing\.",
        ),
        (["--defence_losses", "['dise']"], r"losses: there is no loss 'dise'; there are dice, .*, grow\."),
    ],
    ids=["range", "losses"],
)
def test_what_is_wrong_ends_in_a_sentence(volumes: Path, tmp_path: Path, setting: list[str], message: str) -> None:
    file = tmp_path / "training.json"
    file.write_text(json.dumps(TRAINING))
    files = [str(volumes / "configs" / "train.json"), str(file), str(OVERLAY)]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files), "--bundle_root", str(volumes)]
    command += ["--dataset_dir", str(volumes / "data"), *setting]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(rf"^error: {message}$", done.stderr, re.MULTILINE), done.stderr
    assert "Epoch" not in done.stdout + done.stderr  # it is said before the training begins
