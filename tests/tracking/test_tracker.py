# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient

from pipeline.tracking import Tracker, open_run
from pipeline.utils import InputError

from .store import artifacts, mlflow_run, points

NewTracker = Callable[..., Tracker]


def test_a_run_is_in_mlflow_with_all_that_was_logged(new_tracker: NewTracker, tmp_path: Path) -> None:
    tracker = new_tracker(
        {"seed": 1},
        params={"optimizer": {"lr": 1e-3, "betas": [0.9, 0.999]}, "network": "NLCEN", "nothing": None},
        tags={"mlflow.note.content": "Phantoms."},
        config={"seed": 1},
    )
    tracker.log_metrics({"loss": torch.tensor(0.5), "lr": np.float32(0.25), "train/DIC": 1}, step=1)
    tracker.log_metrics({"loss": math.nan}, step=2)
    tracker.log_metrics({"loss": math.inf}, step=3)
    (tracker.run.path / "table.csv").write_text("a,b\n")
    (tmp_path / "outside.txt").write_text("far")
    tracker.log_artifact(tracker.run.path / "table.csv")
    tracker.log_artifact(tmp_path / "outside.txt", "other")
    tracker.close()

    client, run = mlflow_run(tracker)
    assert run.info.run_name == tracker.run.name
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


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_close_sets_the_status(new_tracker: NewTracker, status: str) -> None:
    tracker = new_tracker()
    tracker.close(status)
    assert mlflow_run(tracker)[1].info.status == status
    assert json.loads((tracker.run.path / "run.json").read_text())["status"] == status


def test_ten_thousand_points_arrive_exactly_once(new_tracker: NewTracker) -> None:
    tracker = new_tracker()
    for step in range(10_000):
        tracker.log_metrics({"loss": step / 7}, step=step)
    tracker.close()
    assert points(tracker, "loss") == [(step, step / 7) for step in range(10_000)]


def test_more_values_at_once_than_mlflow_takes(new_tracker: NewTracker) -> None:
    params = {f"param{number}": number for number in range(250)}
    tracker = new_tracker(params=params, tags={f"tag{number}": "x" * 7000 for number in range(250)})
    tracker.log_metrics({f"metric{number}": number for number in range(2500)}, step=1)
    tracker.close()
    _, run = mlflow_run(tracker)
    assert run.data.params == {key: str(value) for key, value in params.items()}
    assert run.data.metrics == {f"metric{number}": number for number in range(2500)}
    assert sum(key.startswith("tag") for key in run.data.tags) == 250


def test_long_values_are_cut_and_kept_whole_as_artifacts(new_tracker: NewTracker) -> None:
    tracker = new_tracker(params={"long/list": "x" * 6001, "fits": "y" * 6000}, tags={"note": "z" * 8001})
    tracker.close()
    client, run = mlflow_run(tracker)
    assert run.data.params == {"long/list": "x" * 5997 + "...", "fits": "y" * 6000}
    assert run.data.tags["note"] == "z" * 7997 + "..."
    assert artifacts(tracker, "long_values") == ["long_values/long_list.txt", "long_values/note.txt"]
    path = client.download_artifacts(run.info.run_id, "long_values/long_list.txt")
    assert Path(path).read_text() == "x" * 6001


def test_two_runs_at_the_same_time_never_mix(new_tracker: NewTracker) -> None:
    trackers = [new_tracker({"run": number}) for number in range(2)]

    def log(number: int) -> None:
        for step in range(300):
            trackers[number].log_metrics({"value": number}, step=step)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, tracker in enumerate(trackers):
        tracker.close()
        assert points(tracker, "value") == [(step, number) for step in range(300)]
    assert len({tracker.run.record["mlflow"]["run_id"] for tracker in trackers}) == 2


def test_a_resumed_run_goes_on_in_its_mlflow_run_without_doubled_points(new_tracker: NewTracker) -> None:
    first = new_tracker({"a": 1, "num_workers": 0}, params={"lr": 1, "num_workers": 0})
    for step in range(6):
        first.log_metrics({"loss": step, "lr": 0.1}, step=step)
    first.close("KILLED")
    second = new_tracker({"a": 1, "num_workers": 2}, params={"lr": 1, "num_workers": 2})
    assert second.run.record["mlflow"] == first.run.record["mlflow"]
    second._upload.uploader.send()  # type: ignore[union-attr]
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


@pytest.mark.parametrize("uri", ["mlruns", "/data/mlruns", "file:///data/mlruns"])
@pytest.mark.parametrize("source", ["tracking_uri", "the environment variable MLFLOW_TRACKING_URI"])
def test_a_plain_folder_is_refused(
    new_tracker: NewTracker, monkeypatch: pytest.MonkeyPatch, uri: str, source: str
) -> None:
    if source == "tracking_uri":
        arguments = {"tracking_uri": uri}
    else:
        arguments = {}
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InputError) as error:
        new_tracker(**arguments)
    assert str(error.value) == (
        f"{source}: MLflow no longer keeps runs in plain folders such as {uri!r}. Give a SQLite file "
        "(sqlite:///<path>/mlruns.db) or the address of an MLflow server (http://...)."
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


@pytest.mark.parametrize("name", ["a@b", "", "a//b", "../a", "x" * 251, "a\n"])
def test_names_that_mlflow_does_not_take(new_tracker: NewTracker, name: str) -> None:
    tracker = new_tracker()
    for log in (lambda: tracker.log_metrics({name: 1}, step=1), lambda: tracker.log_params({name: 1})):
        with pytest.raises(InputError) as error:
            log()
        assert str(error.value) == (
            f"MLflow does not take the name {name!r}: use up to 250 letters, digits, spaces and the signs _ - . : /."
        )


@pytest.mark.parametrize("value", [torch.zeros(2), "word", None, [1.0]])
def test_a_metric_is_one_number(new_tracker: NewTracker, value: object) -> None:
    with pytest.raises(InputError) as error:
        new_tracker().log_metrics({"loss": value}, step=1)
    assert str(error.value) == f"The metric 'loss' must be one number, but is {type(value).__name__}."


def test_an_artifact_that_does_not_exist_is_named(new_tracker: NewTracker, tmp_path: Path) -> None:
    tracker = new_tracker()
    with pytest.raises(InputError) as error:
        tracker.log_artifact(tmp_path / "none.png")
    assert str(error.value) == f"{tmp_path}/none.png: cannot be logged to MLflow since it does not exist."
    with pytest.raises(InputError) as error:
        tracker.log_dataset("JSRT", tmp_path / "none.json", "training")
    assert str(error.value) == (
        f"{tmp_path}/none.json: cannot be noted as the data list of the run since it does not exist."
    )


def test_the_data_list_is_a_dataset_of_the_run(new_tracker: NewTracker, tmp_path: Path) -> None:
    (tmp_path / "datalist.json").write_text("{}")
    tracker = new_tracker()
    for context in ("training", "training", "test"):
        tracker.log_dataset(f"JSRT {context}", tmp_path / "datalist.json", context, {"images": 124})
    tracker.close()
    inputs = mlflow_run(tracker)[1].inputs.dataset_inputs
    assert sorted(
        (given.dataset.name, given.dataset.digest, given.dataset.profile, given.tags[0].value) for given in inputs
    ) == [
        (f"JSRT {context}", "44136fa355b3678a1146ad16f7e8649e94fb", '{"images": 124}', context)
        for context in ("test", "training")
    ]


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
    run = open_run.__globals__["RunDirectory"](tmp_path, {"mlflow": None})
    tracker = Tracker(run, "lungs", "http://127.0.0.1:1", {"lr": 1})
    tracker.start()
    tracker.log_metrics({"loss": 1}, step=1)
    tracker.log_params({"a": 1})
    tracker.log_tags({"a": 1})
    tracker.log_artifact(tmp_path / "none")
    tracker.log_dataset("JSRT", tmp_path / "none", "training")
    tracker.close()
    assert list(tmp_path.iterdir()) == []
