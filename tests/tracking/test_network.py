# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient

from pipeline.networks import UNet, insert_nlce
from pipeline.tracking import Tracker, upload_folder

from .store import mlflow_run, points

CONFIG = {
    "imports": ["$import os", "$from pipeline.networks import insert_nlce"],
    "in_channels": 1,
    "backbone_weights": "/gone.pt",
    "plain": {"_target_": "pipeline.networks.UNet", "in_channels": "@in_channels", "out_channels": 2},
    "network_def": "$insert_nlce(@plain, ['bottleneck']) if @backbone_weights is None else os",
    "network": "$@network_def.to('cpu')",
}
# as on a machine that has no repository
LOAD = """
import sys
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/lungs/1")
pictures = np.load("pictures.npz")
np.savez("logits.npz", **{name: model.predict(picture) for name, picture in pictures.items()})
import pipeline
print(pipeline.__file__)
"""


def test_the_status_is_that_of_the_journal_and_a_network_that_is_gone_is_left_out(
    new_tracker: Callable[..., Tracker], store: str, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = new_tracker(config=CONFIG)
    network = insert_nlce(UNet(1, 2), ["bottleneck"])
    tracker.log_network("lungs", network, (1, 32, 32))
    tracker.end_epoch()
    client, run = mlflow_run(tracker)
    assert run.info.status == "RUNNING" and len(client.search_model_versions("name = 'lungs'")) == 1
    for name in ("hearts", "livers"):
        tracker.log_network(name, network, (1, 32, 32))
        file = tracker.run.path / "network" / "model.safetensors"
        shutil.rmtree(file.parent) if name == "hearts" else file.unlink()
        tracker.log_metrics({name: 1}, step=1)
        tracker.end_epoch()
        assert points(tracker, name) == [(1, 1)]
        assert client.search_model_versions(f"name = '{name}'") == []
        assert mlflow_run(tracker)[1].info.status == "RUNNING"
    assert f"{tracker.run.path / 'network'}: is gone" in caplog.text and "MLflow refuses" in caplog.text
    tracker.close()
    assert mlflow_run(tracker)[1].info.status == "FINISHED"


@pytest.mark.slow
def test_a_registered_network_gives_the_same_elsewhere(
    new_tracker: Callable[..., Tracker], store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    torch.manual_seed(0)
    network = insert_nlce(UNet(1, 2), ["bottleneck"]).eval()
    tracker = new_tracker(config=CONFIG)
    tracker.log_network("lungs", network.train(), (1, 32, 32))
    assert network.training
    tracker.close()
    (tracker.run.path / "upload.json").unlink()  # as if the process had died before its note
    run_id = upload_folder(tracker.run.path)
    (version,) = MlflowClient(store).search_model_versions("name = 'lungs'")
    assert version.run_id == run_id and MlflowClient(store).get_run(run_id).info.status == "FINISHED"
    folder = Path(store.removeprefix("sqlite:///")).parent / "mlruns"
    files = {path.name for path in folder.rglob("*") if "code" not in path.parts}
    assert {"model.safetensors", "network.json", "input_example.json", "registered_network.py"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pt", ".pth", ".pickle"))]
    assert "/gone.pt" not in next(folder.rglob("network.json")).read_text()

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    pictures = {f"size{rows}": np.random.default_rng(0).random((2, 1, rows, 48), np.float32) for rows in (32, 64)}
    np.savez(elsewhere / "pictures.npz", **pictures)
    command = [sys.executable, "-c", LOAD, store]
    done = subprocess.run(command, cwd=elsewhere, check=True, capture_output=True, text=True)
    assert done.stdout.strip().startswith(str(folder))
    logits = np.load(elsewhere / "logits.npz")
    for name, picture in pictures.items():
        with torch.no_grad():
            expected = network.eval()(torch.from_numpy(picture)).numpy()
        np.testing.assert_allclose(logits[name], expected, rtol=1e-5, atol=1e-6)
