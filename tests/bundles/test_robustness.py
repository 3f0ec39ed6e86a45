# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from monai.engines import SupervisedTrainer
from torch import nn

from pipeline.defence import AdversarialBatch
from pipeline.robustness import assessor
from pipeline.weights import fingerprint_file
from tests.bundles.conftest import MakeWorkflow

TRAIN = "bundles/nlcen_jsrt/train.json"


def test_the_battery_runs_on_a_bundle_and_leaves_its_weights_alone(
    make_workflow: MakeWorkflow, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # they have tests of their own
    monkeypatch.setattr(assessor, "CHECKS", assessor.CHECKS[:1])
    monkeypatch.setattr(assessor, "corrupted_scores", lambda *arguments, **settings: [])
    network = make_workflow(TRAIN, nlce=False).parser.get_parsed_content("network_def")
    torch.save(network.state_dict(), tmp_path / "model.pt")
    before = fingerprint_file(tmp_path / "model.pt")
    workflow = make_workflow(
        TRAIN,
        "bundles/nlcen_jsrt/evaluate.json",
        "bundles/robustness.json",
        nlce=False,
        budget="quick",
        epsilons=[8.0],
        robustness_dir=str(tmp_path / "robustness"),
    )
    workflow.run_id = "robustness"
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    report = json.loads((tmp_path / "robustness" / "report.json").read_text())
    assert report["network"] == "NLCEN w/o NLCE" and report["epsilons"] == [8.0]
    assert report["facts"]["images"] == 2 and report["floor"]["8"] is not None and report["ceiling"]["8"] is not None
    assert report["facts"]["weights_sha256"] == before == fingerprint_file(tmp_path / "model.pt")
    scores = pd.read_parquet(tmp_path / "robustness" / "scores.parquet")
    assert {"clean", "noise", "paper", "dice", "refined"} <= set(scores["attack"])
    client = MlflowClient(store)
    (run,) = client.search_runs([each.experiment_id for each in client.search_experiments()])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["robustness/DIC_worst_eps_08.0"] == report["worst_case"]["8"]["DIC"]
    clean = report["clean"]["DIC"]
    assert run.data.metrics["test/DIC"] == clean and run.data.params["epsilons"] == "[8.0]"
    # the training pictures of the best constant mask, and nothing of a training
    assert (run.data.params["training_images"], run.data.params["test_images"]) == ("6", "2")
    assert (
        len(run.inputs.dataset_inputs) == 2
        and not {"max_epochs", "learning_rate", "loss._target_"} & run.data.params.keys()
    )
    curve = client.get_metric_history(run.info.run_id, "robustness/DIC_worst_vs_eps")
    assert [(point.step, point.value) for point in curve] == [(0, clean), (80, report["worst_case"]["8"]["DIC"])]
    assert "robustness/…_worst_vs_eps" in run.data.tags["mlflow.note.content"]
    assert "epsilon_curve.png" not in run.data.tags["mlflow.note.content"]
    (result,) = tmp_path.glob("**/robustness_*/result.json")
    found = json.loads(result.read_text())
    assert found["network"] == "NLCEN w/o NLCE" and found["iterations"] == {"8": report["gradients"]}
    table = pd.read_csv(result.with_name("per_image.csv"))
    assert table.groupby("epsilon")["DIC"].mean().to_dict() == pytest.approx(
        {0.0: report["clean"]["DIC"], 8.0: report["worst_case"]["8"]["DIC"]}
    )


@pytest.mark.parametrize(("recipe", "attacks", "largest"), [("naive", [4], 32.0), ("mixed", [3] * 6, 3.2)])
def test_a_defence_trains_on_attacked_batches(
    recipe: str, attacks: list[int], largest: float, make_workflow: MakeWorkflow
) -> None:
    workflow = make_workflow(TRAIN, f"bundles/nlcen_jsrt/defence/{recipe}.json", nlce=False, max_epochs=1, batch_size=3)
    trainer = workflow.parser.get_parsed_content("train#trainer")
    assert isinstance(trainer, SupervisedTrainer) and isinstance(trainer.prepare_batch, AdversarialBatch)
    assert trainer.prepare_batch.attacked.network is trainer.network
    assert [attack.iterations for attack in trainer.prepare_batch.attacks] == attacks
    assert trainer.prepare_batch.epsilon == 32
    trainer.run()
    assert trainer.prepare_batch.largest_epsilon() == pytest.approx(largest)
    # mixed.json keeps the running average, naive.json the last weights
    assert hasattr(trainer.state, "average_momentum") == (recipe == "mixed")


@pytest.mark.parametrize(("network", "epochs"), [([], 8), (["bundles/nlcen_jsrt/networks/nwcn.json"], 4)])
def test_the_rate_of_mixed_ends_with_each_subnetworks_training(
    network: list[str], epochs: int, make_workflow: MakeWorkflow
) -> None:
    workflow = make_workflow(TRAIN, *network, "bundles/nlcen_jsrt/defence/mixed.json", max_epochs=8, nlce=False)
    assert workflow.parser.get_parsed_content("train#lr_scheduler").T_max == epochs


def test_amp_trains_and_attacks_in_bfloat16_and_scores_in_float32(make_workflow: MakeWorkflow) -> None:
    files = (TRAIN, "bundles/nlcen_jsrt/defence/mixed.json")
    workflow = make_workflow(*files, nlce=False, amp=True, max_epochs=1, batch_size=3, epsilons=[2.0])
    get = workflow.parser.get_parsed_content
    network = get("network")
    convolution = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    seen: Counter[tuple[bool, torch.dtype]] = Counter()
    convolution.register_forward_hook(lambda module, _, output: seen.update([(module.training, output.dtype)]))
    get("train#trainer").run()
    assert seen.pop((False, torch.float32)) == 1  # whether the network can be attacked is looked at once
    assert seen.keys() == {(True, torch.bfloat16), (False, torch.bfloat16)}
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert get("tracker").params["amp"] is True
    seen.clear()
    get("validate#evaluator").run()
    assert seen.keys() == {(False, torch.float32)}
