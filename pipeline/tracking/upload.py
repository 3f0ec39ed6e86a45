# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runs import FolderLock, is_live, read_run, read_runs
from pipeline.utils import InputError, atomic_path

from .journal import JOURNAL_NAME, read_journal, starts_line
from .network import log_network
from .store import hide_credentials, open_client, short_reason

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Upload", "upload_folder", "upload_leftovers"]

logger = logging.getLogger(__name__)

_AT_ONCE = {"params": 100, "tags": 100, "metrics": 1000}  # what one request takes
_LOCK = ".upload.lock"
_PATIENCE = 10.0  # seconds
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
        try:
            noted = json.loads(self._note.read_text()) if self._note.exists() else {}
            # a power cut may take lines of the journal that were sent
            same = noted.get("run_id") == self.run_id and starts_line(self._journal, noted["offset"])
            self._offset: int = noted["offset"] if same else 0
            self._status: str | None = noted["status"] if same else None
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise InputError(f"{self._note} is damaged; remove it, and all is sent again.") from error
        self._gave_up = False

    def send(self) -> None:
        """Send all entries that are in the journal now; after an error the next call goes on where this one was.

        An entry that MLflow refuses, and a file that is gone, are left out, and a warning says so. Where the MLflow run
        has been deleted, one warning says so, and the journal counts as sent. Only a store that does not answer raises.
        Another process that sends the same at this moment is waited for.
        """
        if self._gave_up:
            return
        lock = FolderLock(self.folder, _LOCK)
        if not lock.acquire(seconds=_PATIENCE):
            raise TimeoutError("another process sends them")
        try:
            self._send_journal(is_dead=False)
        finally:
            lock.release()

    def finish(self) -> bool:
        """Send the rest of a run whose process is dead, and close its MLflow run; return False if that is deleted.

        Hold the upload's lock since before the process was found dead. A process that takes the run up meanwhile sends
        nothing before the lock is free, and then, once more, that the run is RUNNING.
        """
        self._send_journal(is_dead=True)
        return not self._gave_up

    @property
    def is_settled(self) -> bool:
        """Whether everything is sent and the MLflow run is closed."""
        size = self._journal.stat().st_size if self._journal.exists() else 0
        return self._status == "DELETED" or (self._status in _ENDED and self._offset == size)

    def _send_journal(self, is_dead: bool) -> None:
        if self._status == "DELETED":
            self._status = None  # whoever sends it nonetheless has restored it
        try:
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
            if is_dead and self._status not in _ENDED:
                self._send("status", [{"value": "KILLED", "time": None}])
                self._remember(self._offset, "KILLED")
        except _RunDeletedError:
            self._gave_up = True
            self._remember(self._offset, "DELETED")
            logger.warning("%s: the MLflow run %s has been deleted; the journal stays.", self.folder, self.run_id)

    def _send(self, kind: str, items: list[Any]) -> None:
        try:
            self._request(kind, items)
        # each kind of store, of artifacts too, raises errors of its own
        except Exception as error:
            if _is_silent(error):
                raise
            # raises if the store lets nobody in
            self._check_run()
            if len(items) > 1:
                for item in items:
                    self._send(kind, [item])
            else:
                what = hide_credentials(str(dict(items[0])))[:200]
                logger.warning("%s: MLflow refuses %s: %s", self.folder, what, short_reason(error))

    def _check_run(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            stage = self.client.get_run(self.run_id).info.lifecycle_stage
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            stage = "deleted"
        if stage != "active":
            raise _RunDeletedError

    def _request(self, kind: str, items: list[Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        first = items[0]
        if kind in _AT_ONCE:
            batch: Any = {kind: items}
            self.client.log_batch(self.run_id, **batch)
        elif kind in ("artifact", "network"):
            path = self.folder / first["path"]
            if not all(os.access(file, os.R_OK) for file in (path, *path.rglob("*"))):
                logger.warning("%s: is gone, or cannot be read, and therefore missing in MLflow.", path)
            elif kind == "artifact":
                self.client.log_artifact(self.run_id, str(path), first["folder"] or None)
            else:
                try:
                    log_network(self.client, self.run_id, path, first)
                finally:
                    # it leaves the run with an end, which stands further on in the journal
                    self.client.update_run(self.run_id, status="RUNNING")
        elif kind == "dataset":
            source = json.dumps({"uri": first["source"]})
            dataset = Dataset(first["name"], first["digest"], "local", source, profile=first["profile"])
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
    """Send what MLflow has not yet got of a run whose process has ended, close its MLflow run and return its id.

    ``run.json`` holds the address of the store without user and password: set ``MLFLOW_TRACKING_URI`` to the full one,
    or ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``, if they are needed.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: is not the folder of a run (it has no run.json).")
    lock = FolderLock(folder, _LOCK)
    lock.acquire(blocking=True)
    try:
        if is_live(folder):
            raise InputError(f"{folder}: its run is still going on and sends its figures itself.")
        mlflow = read_run(folder).record.get("mlflow")
        if mlflow is None:
            raise InputError(f"{folder}: this run ended before it had reached MLflow. Start it again to go on with it.")
        variable = os.environ.get("MLFLOW_TRACKING_URI", "")
        has_password = hide_credentials(variable) == mlflow["tracking_uri"]
        client = open_client(variable if has_password else mlflow["tracking_uri"])
        if not Upload(folder, client, mlflow["run_id"]).finish():
            raise InputError(f"{folder}: its figures are not in MLflow; `mlflow runs restore` may bring the run back.")
        return str(mlflow["run_id"])
    finally:
        lock.release()


def upload_leftovers(output_dir: Path, client: MlflowClient, tracking_uri: str) -> None:
    """Send what dead runs in ``output_dir`` still owe to the store that ``run.json`` knows as ``tracking_uri``.

    Trouble with one of them is a warning; a store that does not answer ends this.
    """
    for run in read_runs(output_dir):
        mlflow = run.record.get("mlflow")
        if mlflow is None or mlflow["tracking_uri"] != tracking_uri:
            continue
        lock = FolderLock(run.path, _LOCK)
        try:
            upload = Upload(run.path, client, mlflow["run_id"])
            if not upload.is_settled and lock.acquire() and not is_live(run.path):
                upload.finish()
        # whatever the store's client raises, the run that has just started goes on
        except Exception as error:
            logger.warning("%s: is not all in MLflow yet: %s", run.path, short_reason(error))
            if _is_silent(error):
                return
        finally:
            lock.release()


class _RunDeletedError(Exception):
    pass


def _items(entry: dict[str, Any]) -> list[Any]:
    from mlflow.entities import Metric, Param, RunTag

    if entry["type"] == "metrics":
        return [Metric(key, value, entry["time"], entry["step"]) for key, value in entry["values"].items()]
    return [(Param if entry["type"] == "params" else RunTag)(*item) for item in entry["values"].items()]


def _is_silent(error: Exception) -> bool:
    """Whether the store has not answered, so that whatever is sent next would fare the same."""
    from mlflow.exceptions import MlflowException

    response = getattr(error, "response", None)
    if response is not None:
        status = response.status_code
    elif isinstance(error, MlflowException):
        # MLflow knows the words of its own server only: what a proxy says it takes for a fault of the server
        told = re.search(r"failed with error code (\d{3})", str(error))
        status = int(told[1]) if told else error.get_http_status_code()
    else:
        return isinstance(error, OSError) and not isinstance(error, (FileNotFoundError, PermissionError))
    return status >= 500 or status in (408, 429)  # too slow, too often
