# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from pipeline.tracking import Tracker
from pipeline.tracking.upload import Upload

from .store import mlflow_run, points

NewTracker = Callable[..., Tracker]


@pytest.fixture
def logged(new_tracker: NewTracker, store: str) -> tuple[Tracker, MlflowClient, str]:
    """A closed run with 2500 points, its client and its id."""
    tracker = new_tracker(params={"lr": 1})
    for step in range(2500):
        tracker.log_metrics({"loss": step / 3}, step=step)
    tracker.close()
    return tracker, MlflowClient(store), tracker.run.record["mlflow"]["run_id"]


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
    assert f"{file}: is gone and therefore missing in MLflow." in caplog.text


def test_a_run_deleted_in_the_store_is_said_once(
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
    assert caplog.text.count(f"The MLflow run {run_id} has been deleted; the journal stays.") == 1
