# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.utils import InputError, atomic_path

from .journal import JOURNAL_NAME, read_journal
from .mlflow_store import hide_credentials, open_client
from .run_directory import lock_run, read_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Uploader", "upload_folder", "upload_leftovers"]

logger = logging.getLogger(__name__)

# Limits of one MlflowClient.log_batch: 1000 entries in all, of which 100 parameters and 100 tags, and 1 MB
_MAX_ENTRIES, _MAX_PARAMS, _MAX_TAGS, _MAX_BYTES = 1000, 100, 100, 500_000
_BATCH_TYPES = ("params", "tags", "metrics")


class Uploader:
    """Carries the journal of a run folder to its MLflow run and remembers in ``upload.json`` how far it has come.

    A process that dies between a batch and the note about it sends the batch once more. That doubles nothing:
    parameters and tags are overwritten by themselves, and MLflow's database keeps one row per (key, time, step, value),
    all of which come from the journal.

    Args:
        folder: the run folder.
        client: the store.
        run_id: the MLflow run. Entries sent to another run before are sent again.
    """

    def __init__(self, folder: Path, client: MlflowClient, run_id: str) -> None:
        self.folder = folder
        self.client = client
        self.run_id = run_id
        self._note = folder / "upload.json"
        self._sending = threading.Lock()
        noted = json.loads(self._note.read_text()) if self._note.exists() else {}
        same = noted.get("run_id") == run_id
        self._offset: int = noted["offset"] if same else 0
        self._status: str | None = noted["status"] if same else None

    def send(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Send all entries that are in the journal now.

        An entry that MLflow refuses for good stays in the journal only, and an artifact that is gone is left out; a
        warning says so.

        Args:
            stop: asked after each batch whether to leave the rest for later.

        Raises:
            mlflow.exceptions.MlflowException: if the store cannot be reached; the next call goes on where it was.
        """
        with self._sending:
            for entries, end in _batches(read_journal(self.folder / JOURNAL_NAME, self._offset)):
                self._send(entries)
                self._remember(end, entries[-1]["value"] if entries[-1]["type"] == "status" else self._status)
                if stop():
                    return

    def close_dead_run(self) -> None:
        """Mark the MLflow run of a process that died without a word as KILLED."""
        if self._status in (None, "RUNNING"):
            self.client.set_terminated(self.run_id, "KILLED")
            self._remember(self._offset, "KILLED")

    @property
    def is_settled(self) -> bool:
        """Whether everything is sent and the MLflow run is closed."""
        journal = self.folder / JOURNAL_NAME
        size = journal.stat().st_size if journal.exists() else 0
        return self._status not in (None, "RUNNING") and self._offset == size

    def _send(self, entries: list[dict[str, Any]]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._request(entries)
        except MlflowException as error:
            if error.error_code not in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
                raise
            if self.client.get_run(self.run_id).info.lifecycle_stage != "active":
                raise InputError(
                    f"The MLflow run {self.run_id} has been deleted: the figures are in {self.folder / JOURNAL_NAME}."
                ) from error
            if len(entries) > 1:
                for entry in entries:
                    self._send([entry])
            else:
                logger.warning("MLflow refuses %s: %s", json.dumps(entries[0])[:200], error.message)

    def _request(self, entries: list[dict[str, Any]]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        first = entries[0]
        if first["type"] in _BATCH_TYPES:
            self.client.log_batch(
                self.run_id,
                metrics=[
                    Metric(key, value, entry["time"], entry["step"])
                    for entry in entries
                    if entry["type"] == "metrics"
                    for key, value in entry["values"].items()
                ],
                params=[
                    Param(*item) for entry in entries if entry["type"] == "params" for item in entry["values"].items()
                ],
                tags=[
                    RunTag(*item) for entry in entries if entry["type"] == "tags" for item in entry["values"].items()
                ],
            )
        elif first["type"] == "artifact":
            path = self.folder / first["path"]
            if path.exists():
                self.client.log_artifact(self.run_id, str(path), first["folder"] or None)
            else:
                logger.warning("%s: is gone and therefore missing in MLflow.", path)
        elif first["type"] == "dataset":
            dataset = Dataset(
                first["name"], first["digest"], "local", json.dumps({"uri": first["source"]}), profile=first["profile"]
            )
            tags = [InputTag("mlflow.data.context", first["context"])]
            self.client.log_inputs(self.run_id, [DatasetInput(dataset, tags)])
        elif first["value"] == "RUNNING":
            self.client.update_run(self.run_id, status="RUNNING")
        else:
            self.client.set_terminated(self.run_id, first["value"], first["time"])

    def _remember(self, offset: int, status: str | None) -> None:
        self._offset, self._status = offset, status
        with atomic_path(self._note) as file:
            file.write_text(json.dumps({"run_id": self.run_id, "offset": offset, "status": status}) + "\n")


def upload_folder(folder: str | os.PathLike[str]) -> str:
    """Send what MLflow has not yet got of a run whose process has ended, and close its MLflow run.

    ``run.json`` holds the address of the store without user and password: set ``MLFLOW_TRACKING_URI`` to the full one,
    or ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``, if they are needed.

    Returns:
        The id of the MLflow run.

    Raises:
        InputError: if ``folder`` is no run folder, its process lives, or it never reached MLflow.
        mlflow.exceptions.MlflowException: if the store cannot be reached.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: is not the folder of a run (it has no run.json).")
    run = lock_run(folder)
    if run is None:
        raise InputError(f"{folder}: its run is still going on and sends its figures itself.")
    try:
        mlflow = run.record["mlflow"]
        if mlflow is None:
            raise InputError(f"{folder}: this run ended before it had reached MLflow. Start it again to go on with it.")
        uploader = Uploader(folder, open_client(_full_uri(mlflow["tracking_uri"])), mlflow["run_id"])
        uploader.send()
        uploader.close_dead_run()
        return str(mlflow["run_id"])
    finally:
        run.release()


def upload_leftovers(output_dir: Path, client: MlflowClient, tracking_uri: str, stop: Callable[[], bool]) -> None:
    """Send what earlier runs in ``output_dir`` still owe to this store; those whose process died become KILLED.

    Args:
        output_dir: the folder of all runs. Runs that live are left alone, and so are runs of other stores.
        client: the store.
        tracking_uri: its address as ``run.json`` has it.
        stop: asked again and again whether to leave the rest for later.
    """
    for found in read_runs(output_dir):
        if stop():
            return
        mlflow = found.record["mlflow"]
        if mlflow is None or mlflow["tracking_uri"] != tracking_uri:
            continue
        if Uploader(found.path, client, mlflow["run_id"]).is_settled:
            continue
        run = lock_run(found.path)
        if run is None:
            continue
        try:
            uploader = Uploader(found.path, client, mlflow["run_id"])
            uploader.send(stop)
            if not stop():
                uploader.close_dead_run()
        finally:
            run.release()


def _full_uri(recorded: str) -> str:
    """The address with user and password if the environment has it, else as recorded."""
    variable = os.environ.get("MLFLOW_TRACKING_URI", "")
    return variable if hide_credentials(variable) == recorded else recorded


def _batches(journal: Iterator[tuple[dict[str, Any], int]]) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Group entries to what one request takes: neighbors that fit one log_batch, everything else alone."""
    batch: list[dict[str, Any]] = []
    counts = dict.fromkeys(_BATCH_TYPES, 0)
    start = end = None
    for entry, offset in journal:
        kind = entry["type"]
        size = len(entry.get("values", ()))
        if batch and (
            kind not in _BATCH_TYPES
            or sum(counts.values()) + size > _MAX_ENTRIES
            or (kind == "params" and counts["params"] + size > _MAX_PARAMS)
            or (kind == "tags" and counts["tags"] + size > _MAX_TAGS)
            or (start is not None and end is not None and end - start > _MAX_BYTES)
        ):
            assert end is not None
            yield batch, end
            batch, counts, start = [], dict.fromkeys(_BATCH_TYPES, 0), end
        batch.append(entry)
        end = offset
        if kind in _BATCH_TYPES:
            counts[kind] += size
        else:
            yield batch, end
            batch, start = [], end
    if batch and end is not None:
        yield batch, end
