# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from pipeline.tracking import Tracker, Uploader

from .store import mlflow_run, points

NewTracker = Callable[..., Tracker]


@pytest.fixture
def logged(new_tracker: NewTracker, store: str) -> tuple[Tracker, MlflowClient, str]:
    """A closed run with 2500 points, its client and its id."""
    tracker = new_tracker(params={"lr": 1})
    for step in range(2500):
        tracker.log_metrics({"loss": step / 3}, step=step)
    tracker.log_artifact(tracker.run.path / "run.json")
    tracker.close()
    return tracker, MlflowClient(store), tracker.run.record["mlflow"]["run_id"]


def test_a_batch_that_is_sent_again_doubles_nothing(logged: tuple[Tracker, MlflowClient, str]) -> None:
    tracker, client, run_id = logged
    (tracker.run.path / "upload.json").unlink()  # as if the process had died before its note
    uploader = Uploader(tracker.run.path, client, run_id)
    assert not uploader.is_settled
    uploader.send()
    assert uploader.is_settled
    assert points(tracker, "loss") == [(step, step / 3) for step in range(2500)]
    assert mlflow_run(tracker)[1].data.params == {"lr": "1"}


def test_what_is_sent_is_not_sent_again(logged: tuple[Tracker, MlflowClient, str]) -> None:
    tracker, client, run_id = logged
    client.log_batch = client.log_artifact = client.set_terminated = None  # type: ignore[assignment,method-assign]
    uploader = Uploader(tracker.run.path, client, run_id)
    assert uploader.is_settled
    uploader.send()


def test_an_interrupted_upload_goes_on_where_it_stopped(
    logged: tuple[Tracker, MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, client, run_id = logged
    (tracker.run.path / "upload.json").unlink()
    sent: list[int] = []
    log_batch = client.log_batch

    def count(run_id: str, **entries: list[object]) -> None:
        sent.append(len(entries["metrics"]))
        if len(sent) == 2:
            raise ConnectionError("gone")
        log_batch(run_id, **entries)

    monkeypatch.setattr(client, "log_batch", count)
    with pytest.raises(ConnectionError):
        Uploader(tracker.run.path, client, run_id).send()
    Uploader(tracker.run.path, client, run_id).send()
    assert sum(sent) - sent[1] == 2500
    assert all(number <= 1000 for number in sent)


def test_a_refused_entry_does_not_stop_the_others(new_tracker: NewTracker, caplog: pytest.LogCaptureFixture) -> None:
    tracker = new_tracker(params={"lr": 1})
    tracker._journal.append("params", values={"lr": "2"})  # type: ignore[union-attr]  # MLflow refuses another value
    tracker.log_metrics({"loss": 1}, step=1)
    with caplog.at_level(logging.WARNING):
        tracker.close()
    assert points(tracker, "loss") == [(1, 1)]
    assert mlflow_run(tracker)[1].info.status == "FINISHED"
    assert 'MLflow refuses {"type": "params", "values": {"lr": "2"}}: ' in caplog.text


def test_an_artifact_that_is_gone_is_left_out(new_tracker: NewTracker, caplog: pytest.LogCaptureFixture) -> None:
    tracker = new_tracker()
    tracker._upload.close(10)  # type: ignore[union-attr]
    file = tracker.run.path / "gone.txt"
    file.write_text("")
    tracker.log_artifact(file)
    file.unlink()
    tracker.log_metrics({"loss": 1}, step=1)
    tracker._upload.uploader.send()  # type: ignore[union-attr]
    assert points(tracker, "loss") == [(1, 1)]
    assert f"{file}: is gone and therefore missing in MLflow." in caplog.text


def test_a_run_deleted_in_the_store_is_said_once(
    new_tracker: NewTracker, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = new_tracker()
    tracker._upload.uploader.send()  # type: ignore[union-attr]
    run_id = tracker.run.record["mlflow"]["run_id"]
    MlflowClient(store).delete_run(run_id)
    for step in range(100):
        tracker.log_metrics({"loss": 1}, step=step)
    tracker.close()
    journal = tracker.run.path / "journal.jsonl"
    message = f"The MLflow run {run_id} has been deleted: the figures are in {journal}."
    assert [record.message for record in caplog.records].count(message) == 1
