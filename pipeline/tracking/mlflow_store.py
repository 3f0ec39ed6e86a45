# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import fcntl
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from monai.utils.misc import path_to_sqlite_uri, path_to_uri

from pipeline.utils import InputError, is_first_process

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "check_store",
    "configure_mlflow",
    "connect",
    "find_or_create_run",
    "hide_credentials",
    "open_client",
    "resolve_tracking_uri",
]

_SQLITE = "sqlite:///"
# without it the UI takes a new experiment for one about language models and opens it on empty pages
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_ANSWER_WITHIN = 4.0  # seconds for a server to answer the first request


def configure_mlflow() -> None:
    """Set what MLflow must know before its use: no telemetry, short time-outs, no alarming messages.

    A dead server would otherwise block each request for minutes. Time-outs that the user has set stay as they are.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    # one, for a kept connection that the server has closed meanwhile; beyond that the uploader tries again itself
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    if "mlflow" in sys.modules:
        # monai.handlers has imported it already: let it read the settings again
        from mlflow.telemetry import set_telemetry_client

        set_telemetry_client()
    # the first use of a database logs every table it makes
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)


def resolve_tracking_uri(tracking_uri: str) -> str:
    """Return the address of the store: ``MLFLOW_TRACKING_URI`` if set, else ``tracking_uri``, SQLite files absolute.

    Raises:
        InputError: if it is a folder, which MLflow no longer supports.
    """
    variable = os.environ.get("MLFLOW_TRACKING_URI")
    uri = variable or tracking_uri
    if "://" not in uri or uri.startswith("file:"):
        source = "the environment variable MLFLOW_TRACKING_URI" if variable else "tracking_uri"
        raise InputError(
            f"{source}: MLflow no longer keeps runs in plain folders such as {uri!r}. "
            "Give a SQLite file (sqlite:///<path>/mlruns.db) or the address of an MLflow server (http://...)."
        )
    return path_to_sqlite_uri(_sqlite_file(uri)) if uri.startswith(_SQLITE) else uri


def hide_credentials(text: str) -> str:
    """Return ``text`` with the user and password of every address in it removed."""
    # up to the last @ before the path: a password may hold one itself, or even ? and #, which end a host's name
    return re.sub(r"(\w://)(?:[^/?#@:\s\"']*:[^/\s\"']+|[^/?#\s\"']+)@", r"\1", text)


def open_client(uri: str) -> MlflowClient:
    """Return a client of the store at ``uri``, SQLite stores made if absent."""
    configure_mlflow()
    from mlflow import MlflowClient

    folder = _sqlite_file(uri).parent if uri.startswith(_SQLITE) else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    if hide_credentials(uri) != uri:
        # at the end of a run MLflow prints the address with the password, which logs of cells and clusters keep
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    with nullcontext() if folder is None else _alone_in(folder):
        return MlflowClient(tracking_uri=uri)


def check_store(tracking_uri: str, experiment_name: str) -> None:
    """Try whether MLflow's store answers, before a run folder is made; of several processes the first does.

    Raises:
        InputError: see :func:`resolve_tracking_uri` and :func:`connect`.
    """
    if is_first_process():
        connect(resolve_tracking_uri(tracking_uri), experiment_name)


def connect(uri: str, experiment_name: str) -> tuple[MlflowClient, str]:
    """Return a client of the store at ``uri`` and the id of the experiment, which is made if absent.

    Artifacts of a SQLite store lie in ``mlruns`` beside the file, as with MONAI's MLFlowHandler.

    Raises:
        InputError: if the store cannot be opened, a server does not answer within 5 seconds, or the experiment is
            deleted.
    """
    from mlflow.exceptions import MlflowException

    try:
        client, experiment = _first_request(uri, experiment_name)
        if experiment is None:
            artifacts = path_to_uri(_sqlite_file(uri).parent / "mlruns") if uri.startswith(_SQLITE) else None
            try:
                client.create_experiment(experiment_name, artifact_location=artifacts, tags=_EXPERIMENT_TAGS)
            except MlflowException as error:
                # another run has made it in this moment
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            experiment = client.get_experiment_by_name(experiment_name)
    except Exception as error:
        raise InputError(
            f"tracking_uri: the MLflow store {hide_credentials(uri)} does not answer ({_reason(error)}). Start the "
            "server, give another tracking_uri, or unset MLFLOW_TRACKING_URI if it names the wrong one."
        ) from error
    if experiment.lifecycle_stage != "active":
        raise InputError(
            f"experiment_name: {experiment_name!r} has been deleted in {hide_credentials(uri)}. Restore it with "
            f"`mlflow experiments restore -x {experiment.experiment_id}` or give another experiment_name."
        )
    return client, experiment.experiment_id


def find_or_create_run(client: MlflowClient, experiment_id: str, name: str, run_id: str | None) -> str:
    """Return the id of the MLflow run called ``name``, which is made if there is none.

    Args:
        client: the store.
        experiment_id: where to make the run.
        name: its unique name.
        run_id: its id if it is known to exist. If the store does not know it or it was deleted, a new run is made.
    """
    from mlflow.exceptions import MlflowException

    if run_id is not None:
        try:
            if client.get_run(run_id).info.lifecycle_stage == "active":
                return run_id
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    # a process killed between the creation and its note in run.json leaves a run of this name
    found = client.search_runs([experiment_id], filter_string=f"attributes.run_name = '{name}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    return str(client.create_run(experiment_id, run_name=name).info.run_id)


def _first_request(uri: str, experiment_name: str) -> tuple[Any, Any]:
    """Open the store and look the experiment up; a server that does not answer raises TimeoutError."""

    def request() -> None:
        try:
            client = open_client(uri)
            answer.append((client, client.get_experiment_by_name(experiment_name)))
        except Exception as error:
            answer.append(error)

    answer: list[Any] = []
    configure_mlflow()
    import mlflow  # noqa: F401  the import takes seconds and must not count

    # Name look-up, connection and answer each have a time-out of their own in MLflow: only a thread bounds the sum. The
    # first use of a database makes its tables, which may take longer and is no sign of a dead server.
    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    thread.join(_ANSWER_WITHIN if uri.startswith("http") else None)
    if not answer:
        raise TimeoutError(f"no answer within {_ANSWER_WITHIN:.0f} seconds")
    if isinstance(answer[0], Exception):
        raise answer[0]
    client, experiment = answer[0]
    return client, experiment


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process makes or migrates the tables of a SQLite store in ``folder``, which only one can."""
    # on the folder itself: its FolderLock may be held by this very process, and no file is left beside the store
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        # for all: a process forked meanwhile has the handle, too, and would keep the lock as long as it lives
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _sqlite_file(uri: str) -> Path:
    return Path(unquote(uri[len(_SQLITE) :]))


def _reason(error: Exception) -> str:
    """The innermost cause in one short sentence: MLflow's own message repeats the whole chain, or lists all stores."""
    text = hide_credentials(str(error)).strip().splitlines()
    line = text[0].split(". ")[0] if text else type(error).__name__
    for sign, words in {"Connection refused": "connection refused", "Name or service": "unknown host"}.items():
        if sign in line:
            return words
    return line if len(line) <= 200 else line[:197] + "..."
