# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from monai.utils.misc import path_to_sqlite_uri, path_to_uri

from pipeline.runs import FolderLock
from pipeline.utils import InputError, atomic_path, is_first_process

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "check_store",
    "connect",
    "find_or_create_run",
    "hide_credentials",
    "open_client",
    "resolve_tracking_uri",
    "short_reason",
]

_SQLITE = "sqlite:///"
# without it the UI takes a new experiment for one about language models and opens it on empty pages
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_CAUSES = {"Connection refused": "connection refused", "Name or service": "unknown host", "timed out": "no answer"}
_FOLDER_TAG = "run.folder"


def resolve_tracking_uri(tracking_uri: str) -> str:
    """Return the address of the store: ``MLFLOW_TRACKING_URI`` if set, else ``tracking_uri``, SQLite files absolute."""
    variable = os.environ.get("MLFLOW_TRACKING_URI")
    uri = variable or tracking_uri
    if "://" not in uri or uri.startswith("file:"):
        source = "the environment variable MLFLOW_TRACKING_URI" if variable else "tracking_uri"
        raise InputError(
            f"{source}: runs cannot be tracked in {hide_credentials(uri)!r}; give the address of a SQLite file, "
            "sqlite:///<path>/mlruns.db, or of an MLflow server, http(s)://<server>."
        )
    return path_to_sqlite_uri(_sqlite_file(uri)) if uri.startswith(_SQLITE) else uri


def hide_credentials(text: str) -> str:
    """Return ``text`` with the user and password of every address in it removed."""
    # up to the last @ before the path: a password may hold one itself, or even ? and #, which end a host's name
    return re.sub(r"(\w://)(?:[^/?#@:\s\"']*:[^/\s\"']+|[^/?#\s\"']+)@", r"\1", text)


def open_client(uri: str) -> MlflowClient:
    """Return a client of the store at ``uri``, a SQLite store made if absent, and tell MLflow how to behave."""
    _configure_mlflow(has_credentials=hide_credentials(uri) != uri)
    from mlflow import MlflowClient

    if not uri.startswith(_SQLITE):
        return MlflowClient(tracking_uri=uri)
    file = _sqlite_file(uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    # only one process can make or migrate the tables
    lock = FolderLock(file.parent, f".{file.name}.lock")
    lock.acquire(blocking=True)
    try:
        if not file.exists() or not file.stat().st_size:
            # MLflow makes table after table, for seconds; a start that is killed there left a store that none can open
            with atomic_path(file.resolve()) as new:
                MlflowClient(tracking_uri=path_to_sqlite_uri(new))
        return MlflowClient(tracking_uri=uri)
    finally:
        lock.release()


def check_store(tracking_uri: str, experiment_name: str) -> None:
    """Try whether MLflow's store answers, before a run folder is made; of several processes the first does."""
    if is_first_process():
        connect(resolve_tracking_uri(tracking_uri), experiment_name)


def connect(uri: str, experiment_name: str) -> tuple[MlflowClient, str]:
    """Return a client of the store at ``uri`` and the id of the experiment, which is made if absent.

    Artifacts of a SQLite store lie in ``mlruns`` beside the file, as with MONAI's MLFlowHandler.
    """
    from mlflow.exceptions import MlflowException

    with _explain_silence(uri):
        client = open_client(uri)
        if client.get_experiment_by_name(experiment_name) is None:
            artifacts = path_to_uri(_sqlite_file(uri).parent / "mlruns") if uri.startswith(_SQLITE) else None
            try:
                client.create_experiment(experiment_name, artifact_location=artifacts, tags=_EXPERIMENT_TAGS)
            except MlflowException as error:
                # another run has made it in this moment
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
        experiment: Any = client.get_experiment_by_name(experiment_name)
    if experiment.lifecycle_stage != "active":
        raise InputError(
            f"experiment_name: {experiment_name!r} has been deleted in {hide_credentials(uri)}. Restore it with "
            f"`mlflow experiments restore -x {experiment.experiment_id}` or give another experiment_name."
        )
    return client, experiment.experiment_id


def find_or_create_run(
    client: MlflowClient, experiment_id: str, folder: str, run_id: str | None = None, run_name: str | None = None
) -> str:
    """Return the id of the MLflow run of a run folder, which is made if there is none.

    Args:
        client: the store.
        experiment_id: where to make the run.
        folder: the unique name of the folder, by which the run is found again.
        run_id: its id if it is known; if the store has it no more, a new run is made.
        run_name: what MLflow shows; the folder's name if None.
    """
    from mlflow.exceptions import MlflowException

    with _explain_silence(client.tracking_uri):
        if run_id is not None:
            try:
                if client.get_run(run_id).info.lifecycle_stage == "active":
                    return run_id
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        # a process killed between the creation and its note in run.json leaves a run of this folder
        found = client.search_runs([experiment_id], filter_string=f"tags.`{_FOLDER_TAG}` = '{folder}'", max_results=1)
        run = found[0] if found else client.create_run(experiment_id, None, {_FOLDER_TAG: folder}, run_name or folder)
        return str(run.info.run_id)


def short_reason(error: Exception) -> str:
    """The cause in one short sentence: MLflow's own message repeats the whole chain, or lists all stores."""
    text = hide_credentials(str(error)).strip().splitlines()
    line = text[0].split(". ")[0] if text else type(error).__name__
    known = next((words for sign, words in _CAUSES.items() if sign in text[0]), None) if text else None
    return known or (line if len(line) <= 200 else line[:197] + "...")


@contextmanager
def _explain_silence(uri: str) -> Iterator[None]:
    try:
        yield
    # each kind of store raises errors of its own
    except Exception as error:
        raise InputError(
            f"tracking_uri: the MLflow store {hide_credentials(uri)} does not answer ({short_reason(error)}). Start "
            "the server, give another tracking_uri, or unset MLFLOW_TRACKING_URI if it names the wrong one."
        ) from error


def _configure_mlflow(has_credentials: bool) -> None:
    """Set what MLflow must know before its use; what the user has set stays.

    A server that hangs costs a training two requests, one after an epoch and one at the close, each with one retry (for
    a kept connection that the server has closed meanwhile): 4 · 2 seconds.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    if has_credentials:
        # at the end of a run MLflow prints the address with the password, which logs of clusters keep
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    if "mlflow" in sys.modules:
        # monai.handlers has imported it already: let it read the settings again
        from mlflow.telemetry import set_telemetry_client

        set_telemetry_client()
    # the first use of a database logs every table it makes
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _sqlite_file(uri: str) -> Path:
    return Path(unquote(uri[len(_SQLITE) :]))
