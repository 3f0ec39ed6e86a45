# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.runs import FolderLock, RunDirectory, open_run
from pipeline.tracking import Tracker, upload_folder
from pipeline.tracking.upload import Upload, upload_leftovers
from pipeline.utils import InputError

from .store import artifacts, mlflow_run, points

NewTracker = Callable[..., Tracker]


@pytest.fixture
def logged(new_tracker: NewTracker, store: str) -> tuple[Tracker, MlflowClient, str]:
    """A closed run with 2500 points, its client and its id."""
    tracker = new_tracker(params={"lr": 1})
    for step in range(2500):
        tracker.log_metrics({"loss": step / 3}, step=step)
    tracker.close()
    return tracker, MlflowClient(store), tracker.run.record["mlflow"]["run_id"]


@pytest.mark.parametrize("content", ["", "[]", '{"run_id": "RUN"}'])
def test_a_note_that_is_damaged_is_named(logged: tuple[Tracker, MlflowClient, str], content: str) -> None:
    tracker, _, run_id = logged
    (tracker.run.path / "upload.json").write_text(content.replace("RUN", run_id))
    with pytest.raises(InputError, match=r"upload\.json is damaged; remove it, and all is sent again\."):
        upload_folder(tracker.run.path)


def test_a_batch_that_is_sent_again_doubles_nothing(logged: tuple[Tracker, MlflowClient, str]) -> None:
    tracker, client, run_id = logged
    (tracker.run.path / "upload.json").unlink()  # as if the process had died before its note
    upload = Upload(tracker.run.path, client, run_id)
    assert not upload.is_settled
    upload.send()
    assert upload.is_settled
    assert points(tracker, "loss") == [(step, step / 3) for step in range(2500)]
    assert mlflow_run(tracker)[1].data.params == {"lr": "1"}


def test_what_is_sent_is_not_sent_again(logged: tuple[Tracker, MlflowClient, str]) -> None:
    tracker, client, run_id = logged
    client.log_batch = client.log_artifact = client.set_terminated = None  # type: ignore[assignment,method-assign]
    upload = Upload(tracker.run.path, client, run_id)
    assert upload.is_settled
    upload.send()


def test_an_interrupted_upload_goes_on_where_it_stopped(
    logged: tuple[Tracker, MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, client, run_id = logged
    (tracker.run.path / "upload.json").unlink()
    sent: list[int] = []
    log_batch = client.log_batch

    def count(run_id: str, **entries: list[object]) -> None:
        sent.append(len(entries.get("metrics", ())))
        if len(sent) == 4:
            raise ConnectionError("gone")
        log_batch(run_id, **entries)

    monkeypatch.setattr(client, "log_batch", count)
    with pytest.raises(ConnectionError):
        Upload(tracker.run.path, client, run_id).send()
    Upload(tracker.run.path, client, run_id).send()
    assert sum(sent) == 1000 + 1000 + 2500  # the second thousand was not taken
    assert all(number <= 1000 for number in sent)


def test_a_refused_entry_does_not_stop_the_others(new_tracker: NewTracker, caplog: pytest.LogCaptureFixture) -> None:
    tracker = new_tracker(params={"lr": 1})
    tracker._journal.append({"type": "params", "values": {"lr": "2"}})  # type: ignore[union-attr]  # MLflow refuses another value
    tracker.log_metrics({"loss": 1}, step=1)
    with caplog.at_level(logging.WARNING):
        tracker.close()
    assert points(tracker, "loss") == [(1, 1)]
    assert mlflow_run(tracker)[1].info.status == "FINISHED"
    assert "MLflow refuses {'key': 'lr', 'value': '2'}: " in caplog.text


def test_an_artifact_that_is_gone_is_left_out(new_tracker: NewTracker, caplog: pytest.LogCaptureFixture) -> None:
    tracker = new_tracker()
    file = tracker.run.path / "gone.txt"
    file.write_text("")
    tracker.log_artifact(file)
    file.unlink()
    tracker.log_metrics({"loss": 1}, step=1)
    tracker.end_epoch()
    assert points(tracker, "loss") == [(1, 1)]
    assert f"{file}: is gone, or cannot be read, and therefore missing in MLflow." in caplog.text


def owing(tracker: Tracker) -> Tracker:
    """The tracker, closed, of a run that has sent nothing and whose process died without a word."""
    tracker.close()
    tracker.run.update(status="RUNNING")
    (tracker.run.path / "upload.json").unlink()
    return tracker


@pytest.mark.parametrize("lacks", ["deleted", "unknown"])
def test_an_mlflow_run_that_is_gone_is_said_once_and_stops_nothing(
    new_tracker: NewTracker, store: str, caplog: pytest.LogCaptureFixture, lacks: str
) -> None:
    whole = owing(new_tracker({"whole": 1}))
    tracker = owing(new_tracker({"gone": 1}))
    run_id = tracker.run.record["mlflow"]["run_id"]
    if lacks == "deleted":
        MlflowClient(store).delete_run(run_id)
    else:
        run_id = 32 * "0"
        tracker.run.update(mlflow={**tracker.run.record["mlflow"], "run_id": run_id})
    for number in range(2):
        live = new_tracker({"another": number})
        live.log_metrics({"loss": 1}, step=1)
        live.end_epoch()
        assert points(live, "loss") == [(1, 1)]
    assert Upload(whole.run.path, MlflowClient(store), whole.run.record["mlflow"]["run_id"]).is_settled
    assert caplog.text.count(f"the MLflow run {run_id} has been deleted; the journal stays.") == 1
    assert "MLflow refuses" not in caplog.text and "not all in MLflow" not in caplog.text
    with pytest.raises(InputError, match="its figures are not in MLflow"):
        upload_folder(tracker.run.path)
    if lacks == "deleted":
        MlflowClient(store).restore_run(run_id)
        # as if its process had died before its end
        journal = tracker.run.path / "journal.jsonl"
        journal.write_text("".join(line for line in journal.open() if '"status"' not in line))
        assert upload_folder(tracker.run.path) == run_id
        assert mlflow_run(tracker)[1].info.status == "KILLED"


def test_a_live_run_deleted_in_the_store_is_said_once(
    new_tracker: NewTracker, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = new_tracker()
    run_id = tracker.run.record["mlflow"]["run_id"]
    MlflowClient(store).delete_run(run_id)
    for step in range(100):
        tracker.log_metrics({"loss": 1}, step=step)
    tracker.end_epoch()
    tracker.close()
    new_tracker({"another": 1})
    assert caplog.text.count(f"the MLflow run {run_id} has been deleted; the journal stays.") == 1


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status} for http://me:SECRET@host/x", response=response)


@pytest.mark.parametrize(("status", "stops"), [(400, False), (413, False), (429, True), (503, True)])
def test_only_a_store_that_does_not_answer_stops_the_sending(
    new_tracker: NewTracker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int, stops: bool
) -> None:
    tracker = new_tracker()

    def refuse(*_: object) -> None:
        raise http_error(status)

    monkeypatch.setattr(tracker._upload.client, "log_artifact", refuse)
    (tracker.run.path / "large.bin").write_text("")
    tracker.log_artifact(tracker.run.path / "large.bin")
    tracker.log_metrics({"loss": 1}, step=1)
    tracker.close()
    assert points(tracker, "loss") == ([] if stops else [(1, 1)])
    assert mlflow_run(tracker)[1].info.status == ("RUNNING" if stops else "FINISHED")
    assert artifacts(tracker) == ["config.json"]
    assert ("'path': 'large.bin'" in caplog.text) is not stops
    assert f"{status} for http://host/x" in caplog.text and "SECRET" not in caplog.text


def test_a_batch_that_is_too_large_goes_one_by_one(
    logged: tuple[Tracker, MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, client, run_id = logged
    (tracker.run.path / "upload.json").unlink()
    sent: list[object] = []

    def too_large(run_id: str, **batch: list[object]) -> None:
        ((kind, items),) = batch.items()
        if len(items) > 1:
            raise MlflowException("API request to endpoint x failed with error code 413 != 200.")  # as of a proxy
        sent.extend(items if kind == "metrics" else ())

    monkeypatch.setattr(client, "log_batch", too_large)
    upload = Upload(tracker.run.path, client, run_id)
    upload.send()
    assert upload.is_settled and len(sent) == 2500


def test_one_run_in_trouble_does_not_stop_the_others(
    new_tracker: NewTracker, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = (owing(new_tracker({"number": number})) for number in range(3))
    journal = second.run.path / "journal.jsonl"
    journal.write_text("nonsense\n" + journal.read_text())
    new_tracker({"another": 1})
    client = MlflowClient(store)
    settled = [
        Upload(each.run.path, client, each.run.record["mlflow"]["run_id"]).is_settled for each in (first, second, third)
    ]
    assert settled == [True, False, True]
    assert f"{second.run.path}: is not all in MLflow yet: {journal}: the line at byte 0 is not JSON" in caplog.text


def test_a_store_that_goes_away_ends_it(
    new_tracker: NewTracker,
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(3):
        owing(new_tracker({"number": number}))
    client = MlflowClient(store)

    def fail(*_: object, **__: object) -> None:
        raise http_error(503)

    monkeypatch.setattr(client, "log_batch", fail)
    upload_leftovers(tmp_path / "eval", client, store)
    assert caplog.text.count("is not all in MLflow yet") == 1 and "SECRET" not in caplog.text


@pytest.mark.parametrize("lost", [0, 10])
def test_a_note_that_points_behind_what_a_power_cut_has_left_counts_for_nothing(
    logged: tuple[Tracker, MlflowClient, str], lost: int
) -> None:
    tracker, client, run_id = logged
    note = tracker.run.path / "upload.json"
    noted = json.loads(note.read_text())
    # behind the end, and into a line
    note.write_text(json.dumps({**noted, "offset": noted["offset"] - lost + (0 if lost else 1)}))
    upload = Upload(tracker.run.path, client, run_id)
    assert not upload.is_settled
    upload.send()
    assert upload.is_settled
    assert points(tracker, "loss") == [(step, step / 3) for step in range(2500)]
    assert mlflow_run(tracker)[1].info.status == "FINISHED"


def test_a_run_whose_figures_are_being_sent_is_resumed(
    new_tracker: NewTracker, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = new_tracker({"a": 1})
    dead.log_metrics({"loss": 1}, step=1)
    owing(dead)
    client = MlflowClient(store)
    log_batch = client.log_batch
    resumed: list[RunDirectory] = []

    def resume(run_id: str, **batch: Any) -> None:
        resumed[:] = resumed or [open_run(tmp_path / "eval", "training", {"a": 1})]
        log_batch(run_id, **batch)

    monkeypatch.setattr(client, "log_batch", resume)
    upload_leftovers(tmp_path / "eval", client, store)
    assert resumed[0].resumed and resumed[0].path == dead.run.path
    tracker = Tracker(resumed[0], "lungs", store, {})
    tracker.start()
    assert mlflow_run(tracker)[1].info.status == "RUNNING" and points(tracker, "loss") == [(1, 1)]
    tracker.close()
    assert mlflow_run(tracker)[1].info.status == "FINISHED"


def test_a_run_does_not_send_what_another_process_is_sending(
    new_tracker: NewTracker, store: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.tracking.upload._PATIENCE", 0.1)
    tracker = new_tracker()
    other = FolderLock(tracker.run.path, ".upload.lock")
    assert other.acquire()
    tracker.log_metrics({"loss": 1}, step=1)
    tracker.end_epoch()
    assert points(tracker, "loss") == [] and "(another process sends them)" in caplog.text
    # nor is a dead run sent twice at a time
    owed = owing(new_tracker({"owed": 1}))
    lock = FolderLock(owed.run.path, ".upload.lock")
    assert lock.acquire()
    new_tracker({"b": 1})
    assert not (owed.run.path / "upload.json").exists()
    other.release()
    tracker.close()
    assert points(tracker, "loss") == [(1, 1)]
