# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runs import RunDirectory, lock_run, read_runs
from pipeline.utils import InputError, atomic_path

from .journal import JOURNAL_NAME, read_journal
from .network import log_network
from .store import hide_credentials, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Upload", "upload_folder", "upload_leftovers"]

logger = logging.getLogger(__name__)

_AT_ONCE = {"params": 100, "tags": 100, "metrics": 1000}  # what one request takes
_ENDED = ("FINISHED", "FAILED", "KILLED", "DELETED")


@dataclass
class Upload:
    """Carries the journal of a run folder to its MLflow run and remembers in ``upload.json`` how far it has come.

    A process that dies between a request and the note about it sends it once more. That doubles nothing: MLflow keeps
    one value of a parameter or tag, and one row per (key, time, step, value) of a metric. Entries that were sent to
    another MLflow run are sent again.
    """

    folder: Path
    client: MlflowClient
    run_id: str

    def __post_init__(self) -> None:
        self._journal = self.folder / JOURNAL_NAME
        self._note = self.folder / "upload.json"
        noted = json.loads(self._note.read_text()) if self._note.exists() else {}
        same = noted.get("run_id") == self.run_id
        self._offset: int = noted["offset"] if same else 0
        self._status: str | None = noted["status"] if same else None

    def send(self) -> None:
        """Send all entries that are in the journal now; after an error the next call goes on where this one was.

        An entry that MLflow refuses for good, and a file that is gone, are left out, and a warning says so. Of a
        deleted MLflow run an InputError says so, once: its journal then counts as sent.
        """
        if self._status == "DELETED":
            return
        for kind, pairs in groupby(read_journal(self._journal, self._offset), key=lambda pair: pair[0]["type"]):
            if kind in _AT_ONCE:
                entries, ends = zip(*pairs, strict=True)
                items = [item for entry in entries for item in _items(entry)]
                for start in range(0, len(items), _AT_ONCE[kind]):
                    self._send(kind, items[start : start + _AT_ONCE[kind]])
                self._remember(ends[-1], self._status)
            else:
                for entry, end in pairs:
                    self._send(kind, [entry])
                    self._remember(end, entry["value"] if kind == "status" else self._status)

    def close_dead_run(self) -> None:
        """Mark the MLflow run of a process that died without a word as KILLED."""
        if self._status not in _ENDED:
            self.client.set_terminated(self.run_id, "KILLED")
            self._remember(self._offset, "KILLED")

    @property
    def is_settled(self) -> bool:
        """Whether everything is sent and the MLflow run is closed."""
        size = self._journal.stat().st_size if self._journal.exists() else 0
        return self._status == "DELETED" or (self._status in _ENDED and self._offset == size)

    def _send(self, kind: str, items: list[Any]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._request(kind, items)
        except MlflowException as error:
            if error.error_code not in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
                raise
            if len(items) > 1:
                for item in items:
                    self._send(kind, [item])
            elif self.client.get_run(self.run_id).info.lifecycle_stage == "active":
                logger.warning("MLflow refuses %s: %s", str(dict(items[0]))[:200], error.message)
            else:
                self._remember(self._offset, "DELETED")
                raise InputError(f"The MLflow run {self.run_id} has been deleted; the journal stays.") from error

    def _request(self, kind: str, items: list[Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        first = items[0]
        if kind in _AT_ONCE:
            batch: Any = {kind: items}
            self.client.log_batch(self.run_id, **batch)
        elif kind == "artifact":
            path = self.folder / first["path"]
            if path.exists():
                self.client.log_artifact(self.run_id, str(path), first["folder"] or None)
            else:
                logger.warning("%s: is gone and therefore missing in MLflow.", path)
        elif kind == "dataset":
            source = json.dumps({"uri": first["source"]})
            dataset = Dataset(first["name"], first["digest"], "local", source, profile=first["profile"])
            tags = [InputTag("mlflow.data.context", first["context"])]
            self.client.log_inputs(self.run_id, [DatasetInput(dataset, tags)])
        elif kind == "network":
            log_network(self.client, self.run_id, self.folder / first["path"], first)
        elif first["value"] == "RUNNING":
            self.client.update_run(self.run_id, status="RUNNING")
        else:
            self.client.set_terminated(self.run_id, first["value"], first["time"])

    def _remember(self, offset: int, status: str | None) -> None:
        self._offset, self._status = offset, status
        with atomic_path(self._note) as file:
            file.write_text(json.dumps({"run_id": self.run_id, "offset": offset, "status": status}) + "\n")


def upload_folder(folder: str | os.PathLike[str]) -> str:
    """Send what MLflow has not yet got of a run whose process has ended, close its MLflow run and return its id.

    ``run.json`` holds the address of the store without user and password: set ``MLFLOW_TRACKING_URI`` to the full one,
    or ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``, if they are needed.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: is not the folder of a run (it has no run.json).")
    run = lock_run(folder)
    if run is None:
        raise InputError(f"{folder}: its run is still going on and sends its figures itself.")
    try:
        mlflow = run.record.get("mlflow")
        if mlflow is None:
            raise InputError(f"{folder}: this run ended before it had reached MLflow. Start it again to go on with it.")
        variable = os.environ.get("MLFLOW_TRACKING_URI", "")
        has_password = hide_credentials(variable) == mlflow["tracking_uri"]
        _finish(run, open_client(variable if has_password else mlflow["tracking_uri"]))
        return str(mlflow["run_id"])
    finally:
        run.release()


def upload_leftovers(output_dir: Path, client: MlflowClient, tracking_uri: str) -> None:
    """Send what dead runs in ``output_dir`` still owe to the store that ``run.json`` knows as ``tracking_uri``."""
    for found in read_runs(output_dir):
        mlflow = found.record.get("mlflow")
        if mlflow is None or mlflow["tracking_uri"] != tracking_uri:
            continue
        if Upload(found.path, client, mlflow["run_id"]).is_settled or (run := lock_run(found.path)) is None:
            continue
        try:
            _finish(run, client)
        except InputError as error:
            logger.warning("%s: %s", run.path, error)
        finally:
            run.release()


def _finish(run: RunDirectory, client: MlflowClient) -> None:
    upload = Upload(run.path, client, run.record["mlflow"]["run_id"])
    upload.send()
    upload.close_dead_run()


def _items(entry: dict[str, Any]) -> list[Any]:
    from mlflow.entities import Metric, Param, RunTag

    if entry["type"] == "metrics":
        return [Metric(key, value, entry["time"], entry["step"]) for key, value in entry["values"].items()]
    return [(Param if entry["type"] == "params" else RunTag)(*item) for item in entry["values"].items()]
