# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.tracking import Tracker


def mlflow_run(tracker: Tracker) -> tuple[MlflowClient, Run]:
    """The run of a tracker as MLflow has it."""
    mlflow = tracker.run.record["mlflow"]
    client = MlflowClient(mlflow["tracking_uri"])
    return client, client.get_run(mlflow["run_id"])


def points(tracker: Tracker, key: str) -> list[tuple[int, float]]:
    """All points of a metric as MLflow has them, (step, value), ordered."""
    client, run = mlflow_run(tracker)
    return sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, key))


def artifacts(tracker: Tracker, folder: str | None = None) -> list[str]:
    """The paths of the artifacts in a folder."""
    client, run = mlflow_run(tracker)
    return sorted(artifact.path for artifact in client.list_artifacts(run.info.run_id, folder))
