# SPDX-License-Identifier: Apache-2.0
"""``bundles/robustness.json`` over bundles in the model zoo's manner."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet

from pipeline.robustness import Assessor

from .conftest import OVERLAY, ROOT, Run, contents


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    total = prediction.sum() + truth.sum()
    return 2 * (prediction & truth).sum() / total if total else 1.0


def clean_scores(output: Path) -> dict[str, float]:
    scores = pd.read_parquet(output / "scores.parquet")
    clean = scores[scores["attack"] == "clean"]
    return dict(zip(clean["image"], clean["DIC"], strict=True))


def test_volumes_and_windows(volumes: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(volumes)
    report = run(volumes, tmp_path / "whole")
    assert contents(volumes) == before

    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=[4, 8], strides=[2]).eval()
    network.load_state_dict(torch.load(volumes / "models" / "model.pt", weights_only=True))
    inferer = SlidingWindowInferer((12, 12, 8), 2, 0.5)
    expected = {}
    for index in (2, 3):
        image, label = (nib.load(volumes / "data" / f"{name}{index}.nii.gz").get_fdata() for name in ("image", "label"))
        scaled = np.clip((image + 100) / 300, 0, 1).astype(np.float32)
        with torch.no_grad():
            logits = inferer(torch.from_numpy(scaled)[None, None], network)[0]
        expected[f"data/image{index}.nii.gz"] = dice(logits.argmax(0).numpy() == 1, label == 1)
    assert clean_scores(tmp_path / "whole") == pytest.approx(expected, abs=2e-4)
    assert report["clean"]["DIC"] == pytest.approx(np.mean(list(expected.values())), abs=2e-4)

    worst = [report["clean"]["DIC"], *(report["worst_case"][epsilon]["DIC"] for epsilon in ("2", "32"))]
    assert all(larger <= smaller for smaller, larger in pairwise(worst)) and worst[-1] < worst[0]
    assert report["gradients"] <= 100 and report["floor"]["2"] is not None
    assert report["facts"]["classes"] == "2, which exclude each other; the first is the background"
    assert report["facts"]["postprocessing"] == ["Invertd", "SaveImaged"]

    # interrupted at the second image, it goes on with that
    assess, done = Assessor._assess, []

    def interrupted(self: Assessor, *arguments: Any) -> Any:
        done.append(arguments[-1])
        if len(done) == 2:
            raise KeyboardInterrupt
        return assess(self, *arguments)

    monkeypatch.setattr(Assessor, "_assess", interrupted)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        run(volumes, tmp_path / "parts")
    assert not (tmp_path / "parts" / "report.json").exists()
    again = run(volumes, tmp_path / "parts")
    assert done == [["data/image2.nii.gz"], ["data/image3.nii.gz"], ["data/image3.nii.gz"]]
    for key in ("clean", "attacks", "worst_case", "floor", "gradients"):
        assert again[key] == report[key]
    whole, parts = (pd.read_parquet(tmp_path / name / "scores.parquet") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(whole, parts)


def test_colors_and_labels_that_overlap(colors: Path, tmp_path: Path, run: Run) -> None:
    before = contents(colors)
    report = run(colors, tmp_path)
    assert contents(colors) == before

    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(4, 2, 1))
    network.load_state_dict(torch.load(colors / "models" / "model.pt", weights_only=True))
    expected, values = {}, []
    for index in (1, 2):
        image, label = (np.load(colors / "data" / f"{name}{index}.npy") for name in ("image", "label"))
        values.append(image)
        with torch.no_grad():
            found = network(torch.from_numpy(image)[None])[0].sigmoid().numpy() > 0.5
        expected[f"data/image{index}.npy"] = np.mean([dice(found[each], label[each] == 1) for each in range(2)])
    # a pixel or two may be decided otherwise: grey levels and back
    assert clean_scores(tmp_path) == pytest.approx(expected, abs=0.02)
    worst = [report["clean"]["DIC"], *(each["DIC"] for each in report["worst_case"].values())]
    assert all(larger <= smaller for smaller, larger in pairwise(worst)) and worst[-1] < worst[0]
    facts = report["facts"]
    assert facts["classes"] == "2 labels, which may overlap" and facts["range_source"] == "taken from the pictures"
    assert facts["intensity_range"] == pytest.approx([np.min(values), np.max(values)])
    assert facts["postprocessing"] == ["Activationsd", "AsDiscreted"]
    assert facts["preprocessing"] and facts["inferer"] == "SimpleInferer"
    assert facts["decision"] == "at each pixel every label whose output has a sigmoid above 0.5"
    assert "overexposure" in facts["corruptions_without_zero"]
    assert "overexposure" not in {row["corruption"] for row in report["corruptions"]}


def test_a_sigmoid_that_the_user_knows_of_goes_with_a_threshold_of_the_logits(
    colors: Path, tmp_path: Path, run: Run
) -> None:
    transform = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.0}
    postprocessing = {"_target_": "Compose", "transforms": [transform]}
    settings = {"validate#postprocessing": postprocessing, "robustness_assessment#sigmoid": True, "epsilons": [2.0]}
    facts = run(colors, tmp_path, **settings)["facts"]
    assert facts["classes"] == "2 labels, which may overlap" and facts["postprocessing"] == ["AsDiscreted"]


@pytest.mark.parametrize("place", ["validate#evaluator#postprocessing", "validate#postprocessing"])
def test_a_sigmoid_and_a_threshold_are_found_where_the_evaluator_has_them(
    place: str, colors: Path, tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "more.json"
    steps = [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": "@overlapping"},
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": "@cut"},
    ]
    none = {"_target_": "Compose", "transforms": []}
    file.write_text(json.dumps({"validate#postprocessing": none, "overlapping": True, "cut": 0.5}))
    settings = {"epsilons": [2.0], place: {"_target_": "Compose", "transforms": steps}}
    facts = run(colors, tmp_path, file, **settings)["facts"]
    assert facts["classes"] == "2 labels, which may overlap" and facts["postprocessing"] == [
        "Activationsd",
        "AsDiscreted",
    ]


def test_the_tracking_of_monai_logs_the_worst_case(colors: Path, tmp_path: Path) -> None:
    output, store = tmp_path / "report", f"sqlite:///{tmp_path}/mlruns.db"
    command = [sys.executable, "-m", "monai.bundle", "run", "robustness"]
    settings = {
        "config_file": [str(colors / "configs" / "train.json"), str(OVERLAY)],
        "bundle_root": colors,
        "dataset_dir": colors / "data",
        "robustness_dir": output,
        "budget": "quick",
        "epsilons": [2.0],
        "tracking": "mlflow",
        "tracking_uri": store,
        "save_execute_config": False,
    }
    for key, value in settings.items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (run,) = MlflowClient(store).search_runs(["1"])
    assert run.info.status == "FINISHED"
    report = json.loads((output / "report.json").read_text())
    files = [str(colors / "configs" / "train.json"), str(OVERLAY)]
    assert report["facts"]["configuration_sha256"] == {
        file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files
    }
    worst = report["worst_case"]["2"]
    assert run.data.metrics == pytest.approx(
        {f"robustness/{metric}_worst_eps_02.0": worst[metric] for metric in ("DIC", "JSC")}
    )
