# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient

from pipeline.runs import RunDirectory, device_name, open_run
from pipeline.tracking import Tracker, resolve_tracking_uri
from pipeline.utils import InputError

from .store import artifacts, mlflow_run, points

NewTracker = Callable[..., Tracker]


def test_a_run_is_in_mlflow_with_all_that_was_logged(new_tracker: NewTracker, tmp_path: Path) -> None:
    tracker = new_tracker(
        {"seed": 1},
        params={"optimizer": {"lr": 1e-3, "betas": [0.9, 0.999]}, "network": "NLCEN", "nothing": None},
        tags={"mlflow.note.content": "Phantoms.", "long": "x" * 8001},
        config={"seed": 1},
        run_name="NLCEN · phantoms · seed 1",
    )
    tracker.log_metrics({"loss": torch.tensor(0.5), "lr": np.float32(0.25), "train/DIC": 1}, step=1)
    tracker.log_metrics({"loss": math.nan}, step=2)
    tracker.log_metrics({"loss": math.inf}, step=3)
    (tracker.run.path / "table.csv").write_text("a,b\n")
    (tmp_path / "outside.txt").write_text("far")
    tracker.log_artifact(tracker.run.path / "table.csv")
    tracker.log_artifact(tmp_path / "outside.txt", "other")
    for split in ("training", "test"):
        tracker.log_dataset("phantoms", split + 40 * "0", "datalist.json", split, {"images": 124})
    tracker.close()

    client, run = mlflow_run(tracker)
    assert run.info.run_name == "NLCEN · phantoms · seed 1"
    assert run.data.tags["run.folder"] == tracker.run.name
    assert run.data.tags["long"] == "x" * 7997 + "..."
    assert run.info.status == "FINISHED"
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.name == "lungs"
    # or the UI opens it on its pages for language models
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert run.data.params == {
        "optimizer.lr": "0.001",
        "optimizer.betas": "[0.9, 0.999]",
        "network": "NLCEN",
        "nothing": "None",
    }
    assert run.data.tags["mlflow.note.content"] == "Phantoms."
    assert run.data.tags["run.kind"] == "training"
    assert run.data.tags["run.fingerprint"] == tracker.run.record["fingerprint"]
    assert run.data.tags["versions.torch"] == torch.__version__
    assert [
        (given.dataset.name, given.dataset.digest, given.dataset.profile, given.tags[0].value)
        for given in sorted(run.inputs.dataset_inputs, key=lambda given: given.tags[0].value)
    ] == [("phantoms", (split + 40 * "0")[:36], '{"images": 124}', split) for split in ("test", "training")]
    assert points(tracker, "lr") == [(1, 0.25)]
    assert points(tracker, "train/DIC") == [(1, 1.0)]
    (_, first), (_, second), (_, third) = points(tracker, "loss")
    assert first == 0.5
    assert math.isnan(second)
    assert third > 1e308  # MLflow has no infinity
    assert artifacts(tracker) == ["config.json", "other", "table.csv"]
    assert artifacts(tracker, "other") == ["other/outside.txt"]
    assert json.loads((tracker.run.path / "config.json").read_text()) == {"seed": 1}
    assert json.loads((tracker.run.path / "run.json").read_text())["status"] == "FINISHED"


def test_artifacts_lie_beside_the_sqlite_file(new_tracker: NewTracker, store: str) -> None:
    tracker = new_tracker(config={"a": 1})
    tracker.close()
    _, run = mlflow_run(tracker)
    folder = Path(store.removeprefix("sqlite:///")).parent
    assert (folder / "mlruns" / run.info.run_id / "artifacts" / "config.json").is_file()


def test_starting_and_closing_twice_is_starting_and_closing_once(new_tracker: NewTracker) -> None:
    tracker = new_tracker()
    tracker.start()
    tracker.close("FAILED")
    tracker.close("FINISHED")
    client, run = mlflow_run(tracker)
    assert run.info.status == "FAILED"
    assert len(client.search_runs([run.info.experiment_id])) == 1


@pytest.mark.parametrize("before", [True, False])
def test_a_signal_in_the_middle_of_the_close_changes_no_status(
    new_tracker: NewTracker, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    tracker = new_tracker()
    journal: Any = tracker._journal
    append = journal.append

    def interrupted(entry: dict[str, object]) -> None:
        monkeypatch.setattr(journal, "append", append)
        if not before:
            append(entry)
        raise SystemExit(143)

    monkeypatch.setattr(journal, "append", interrupted)
    with pytest.raises(SystemExit):
        tracker.close()
    tracker.close("KILLED")  # as the end of the program does
    assert json.loads((tracker.run.path / "run.json").read_text())["status"] == "FINISHED"
    assert mlflow_run(tracker)[1].info.status == "FINISHED"


def test_more_values_at_once_than_mlflow_takes(new_tracker: NewTracker) -> None:
    params = {f"param{number}": str(number) for number in range(250)}
    tracker = new_tracker(params=params, tags={f"tag{number}": "x" * 7000 for number in range(250)})
    tracker.log_metrics({f"metric{number}": number for number in range(2500)}, step=1)
    tracker.close()
    _, run = mlflow_run(tracker)
    assert run.data.params == params
    assert run.data.metrics == {f"metric{number}": number for number in range(2500)}
    assert sum(key.startswith("tag") for key in run.data.tags) == 250


def test_a_resumed_run_goes_on_in_its_mlflow_run_without_doubled_points(new_tracker: NewTracker) -> None:
    first = new_tracker({"a": 1, "num_workers": 0}, params={"lr": 1, "num_workers": 0})
    for step in range(6):
        first.log_metrics({"loss": step, "lr": 0.1}, step=step)
    first.close("KILLED")
    second = new_tracker({"a": 1, "num_workers": 2}, params={"lr": 1, "num_workers": 2})
    assert second.run.record["mlflow"] == first.run.record["mlflow"]
    assert mlflow_run(second)[1].info.status == "RUNNING"
    for step in range(4, 10):  # from the last checkpoint on
        second.log_metrics({"loss": step, "lr": 0.1, "new": step}, step=step)
    second.close()

    _, run = mlflow_run(second)
    assert run.info.status == "FINISHED"
    assert points(second, "loss") == [(step, step) for step in range(10)]
    assert points(second, "lr") == [(step, 0.1) for step in range(10)]
    assert points(second, "new") == [(step, step) for step in range(4, 10)]
    assert run.data.params == {"lr": "1", "num_workers": "0"}
    assert {key: value for key, value in run.data.tags.items() if key.startswith("changed.")} == {
        "changed.num_workers": "2"
    }


def test_a_resumed_run_with_other_values_keeps_both_and_says_so_once(
    new_tracker: NewTracker, caplog: pytest.LogCaptureFixture
) -> None:
    first = new_tracker()
    for step in range(4):
        first.log_metrics({"loss": step, "nothing": math.nan, "much": math.inf}, step=step)
    first.close("KILLED")
    for _ in range(2):
        again = new_tracker()
        for step in range(4):
            again.log_metrics({"loss": step + 0.5 * (step > 1), "nothing": math.nan, "much": math.inf}, step=step)
        again.close("KILLED")
    assert points(again, "loss") == [(0, 0), (1, 1), (2, 2), (2, 2.5), (3, 3), (3, 3.5)]
    assert mlflow_run(again)[1].data.metrics["loss"] == 3.5
    assert len(points(again, "nothing")) == len(points(again, "much")) == 4
    text = f"{again.run.name} repeats step 2 and comes to another value; MLflow keeps both."
    assert [record.getMessage() for record in caplog.records if "repeats" in record.getMessage()] == [text]


def test_the_device_of_a_run_and_that_of_its_continuation(
    new_tracker: NewTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    first = new_tracker()
    first.log_device(torch.device("cuda:0"))
    first.close("KILLED")
    second = new_tracker()
    second.log_device(torch.device("cpu"))
    second.close()
    tags = mlflow_run(second)[1].data.tags
    assert (tags["device.name"], tags["device.count"]) == ("a GPU", "3")
    assert tags["changed.device.name"] == device_name(torch.device("cpu"))


def test_a_resumed_run_whose_store_is_gone_starts_a_new_one_with_everything(
    new_tracker: NewTracker, store: str, tmp_path: Path
) -> None:
    first = new_tracker()
    first.log_metrics({"loss": 1}, step=1)
    first.close("KILLED")
    MlflowClient(store).delete_run(first.run.record["mlflow"]["run_id"])
    second = new_tracker(params={})
    second.log_metrics({"loss": 2}, step=2)
    second.close()
    assert second.run.path == first.run.path
    assert points(second, "loss") == [(1, 1), (2, 2)]


def test_a_run_that_was_made_but_not_noted_is_found_again(new_tracker: NewTracker, store: str) -> None:
    first = new_tracker()
    run_id = first.run.record["mlflow"]["run_id"]
    first.close("KILLED")
    first.run.update(mlflow=None)
    second = new_tracker()
    assert second.run.record["mlflow"]["run_id"] == run_id


def test_the_environment_variable_takes_precedence(
    new_tracker: NewTracker, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    tracker = new_tracker(tracking_uri="http://127.0.0.1:1")
    assert tracker.run.record["mlflow"]["tracking_uri"] == store


@pytest.mark.parametrize("password", ["secret", "sec@secret", "sec?secret", "sec#secret"])
def test_user_and_password_of_an_address_are_kept_nowhere(new_tracker: NewTracker, password: str) -> None:
    uri = f"http://me:{password}@host/x"
    tracker = new_tracker(params={"uri": uri}, config={"a": [uri, "http://host?mail=me@host"]})
    tracker.close()
    for file in tracker.run.path.glob("*.json*"):
        assert "secret" not in file.read_text()
    assert json.loads((tracker.run.path / "config.json").read_text())["a"] == [
        "http://host/x",
        "http://host?mail=me@host",
    ]
    assert mlflow_run(tracker)[1].data.params["uri"] == "http://host/x"


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("tracking_uri", "/data/mlruns"),
        ("the environment variable MLFLOW_TRACKING_URI", "file:///data/mlruns"),
        ("the environment variable MLFLOW_TRACKING_URI", "databricks"),
    ],
)
def test_what_is_no_store_is_refused(monkeypatch: pytest.MonkeyPatch, uri: str, source: str) -> None:
    if source != "tracking_uri":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InputError) as error:
        resolve_tracking_uri(uri)
    assert str(error.value) == (
        f"{source}: runs cannot be tracked in {uri!r}; give the address of a SQLite file, sqlite:///<path>/mlruns.db, "
        "or of an MLflow server, http(s)://<server>."
    )


def test_a_deleted_experiment_is_named(new_tracker: NewTracker, store: str) -> None:
    number = MlflowClient(store).create_experiment("gone")
    MlflowClient(store).delete_experiment(number)
    with pytest.raises(InputError) as error:
        new_tracker(experiment_name="gone")
    assert str(error.value) == (
        f"experiment_name: 'gone' has been deleted in {store}. Restore it with "
        f"`mlflow experiments restore -x {number}` or give another experiment_name."
    )


def test_logging_before_the_start_and_after_the_end_is_an_error(new_tracker: NewTracker, tmp_path: Path) -> None:
    tracker = Tracker(open_run(tmp_path, "training", {}), "lungs", "sqlite:///unused.db", {})
    with pytest.raises(RuntimeError, match="the tracker is not started"):
        tracker.log_metrics({"loss": 1}, step=1)
    tracker.close()
    tracker = new_tracker()
    tracker.close()
    with pytest.raises(RuntimeError, match="the tracker is closed"):
        tracker.log_metrics({"loss": 1}, step=1)


def test_other_ranks_track_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    run = RunDirectory(tmp_path, {})
    tracker = Tracker(run, "lungs", "http://127.0.0.1:1", {"lr": 1})
    tracker.start()
    tracker.log_metrics({"loss": 1}, step=1)
    tracker.log_tags({"a": 1})
    tracker.log_artifact(tmp_path / "none")
    tracker.log_dataset("JSRT", "0", "none", "training", {})
    tracker.log_network("JSRT", torch.nn.Identity(), (1, 32, 32))
    tracker.end_epoch()
    tracker.close()
    assert list(tmp_path.iterdir()) == []


def test_each_epoch_has_system_metrics_and_sends_what_there_is(new_tracker: NewTracker) -> None:
    tracker = new_tracker({"a": 1})
    for epoch in (1, 2):
        tracker.log_metrics({"loss": epoch}, step=epoch)
        tracker.end_epoch()
        assert points(tracker, "loss")[-1] == (epoch, epoch)
    tracker.close("KILLED")
    resumed = new_tracker({"a": 1})
    resumed.end_epoch()
    memory = points(resumed, "system/system_memory_usage_megabytes")
    assert [step for step, _ in memory] == [1, 2, 3] and all(value > 10 for _, value in memory)
    used = [value for _, value in points(resumed, "system/cpu_utilization_percentage")]
    assert len(used) == 3 and all(0 <= value <= 100 for value in used)


def test_the_user_and_the_program_are_told_and_no_path(
    new_tracker: NewTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.orig_argv", ["/home/somebody/python", "/home/somebody/project/train.py"])
    monkeypatch.setattr("sys.argv", ["/home/somebody/project/train.py"])
    monkeypatch.setattr("getpass.getuser", lambda: "somebody")
    tags = mlflow_run(new_tracker())[1].data.tags
    assert (tags["mlflow.user"], tags["mlflow.source.name"]) == ("somebody", "train.py")
    assert "/home/somebody" not in " ".join(tags.values())

    def nobody() -> str:
        raise KeyError("uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert "mlflow.user" not in mlflow_run(new_tracker({"another": 1}))[1].data.tags
