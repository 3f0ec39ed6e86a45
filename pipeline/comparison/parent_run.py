# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from monai.utils.misc import path_to_sqlite_uri

from pipeline.tracking.folder_lock import FolderLock
from pipeline.tracking.mlflow_store import connect, find_or_create_run, hide_credentials, resolve_tracking_uri
from pipeline.utils import InputError, atomic_path

from .matrix import ROOT

__all__ = ["ParentRun", "open_parent_run"]

logger = logging.getLogger(__name__)


class ParentRun:
    """The MLflow run under which the runs of all cells stand.

    Args:
        client: its store.
        tracking_uri: the store's address without user and password.
        run_id: its id.
    """

    def __init__(self, client: MlflowClient, tracking_uri: str, run_id: str) -> None:
        self.tracking_uri = tracking_uri
        self.run_id = run_id
        self._client = client

    def close(self, status: str) -> None:
        """Set its status: FINISHED, FAILED or KILLED. A store that does not answer is no reason to fail."""
        try:
            self._client.set_terminated(self.run_id, status)
        except MlflowException as error:
            logger.warning("The status of the MLflow run %s could not be set: %s", self.run_id, error)


def open_parent_run(results_dir: Path, experiment_name: str, description: str) -> ParentRun:
    """Make the parent run of a results folder, or go on with that of an earlier call, noted in ``parent.json``.

    The store is ``MLFLOW_TRACKING_URI`` or else ``mlruns.db`` in the repository; it is made if it is absent. Runners of
    one folder do this one after the other.

    Args:
        results_dir: the folder of all results, made if absent; the run has its name.
        experiment_name: the MLflow experiment.
        description: the run's description (Markdown).

    Raises:
        InputError: if the store does not answer or is a plain folder, the experiment is deleted, or ``parent.json`` is
            damaged.
    """
    results_dir.mkdir(parents=True, exist_ok=True)
    uri = resolve_tracking_uri(path_to_sqlite_uri(ROOT / "mlruns.db"))
    address = {"tracking_uri": hide_credentials(uri), "experiment": experiment_name}
    with _alone(results_dir):
        client, experiment_id = connect(uri, experiment_name)
        note = results_dir / "parent.json"
        noted = _read(note)
        known = noted["run_id"] if {**noted, "run_id": ""} == {**address, "run_id": ""} else None
        run_id = find_or_create_run(client, experiment_id, results_dir.resolve().name, known)
        with atomic_path(note) as file:
            file.write_text(json.dumps({**address, "run_id": run_id}, indent=4) + "\n", encoding="utf-8")
    client.update_run(run_id, status="RUNNING")
    client.set_tag(run_id, "mlflow.note.content", description)
    return ParentRun(client, address["tracking_uri"], run_id)


def _read(note: Path) -> dict[str, str]:
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted.keys() == {"tracking_uri", "experiment", "run_id"}:
            return dict(noted)
    except FileNotFoundError:
        return {"run_id": ""}
    except (ValueError, AttributeError):
        pass
    raise InputError(f"{note} is damaged; remove it, and the next run makes a new parent run in MLflow.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is in here for this folder."""
    lock = FolderLock(folder)
    while not lock.acquire():
        time.sleep(0.1)
    try:
        yield
    finally:
        lock.release()
