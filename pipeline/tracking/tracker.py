# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.distributed

from pipeline.utils import InputError, atomic_path

from .background_upload import BackgroundUpload
from .environment import describe_environment
from .exit_guard import ExitGuard
from .journal import JOURNAL_NAME, Journal, read_journal
from .mlflow_store import connect, find_or_create_run, hide_credentials, resolve_tracking_uri
from .run_directory import RunDirectory
from .uploader import Uploader

__all__ = ["Tracker"]

logger = logging.getLogger(__name__)

_STATUSES = ("FINISHED", "FAILED", "KILLED")
_NAME = re.compile(r"[\w.\-:/ ]{1,250}")  # what MLflow takes as the name of a metric, parameter or tag
_MAX_PARAM, _MAX_TAG = 6000, 8000  # characters that MLflow keeps
_PER_ENTRY = {"params": 100, "tags": 100, "metrics": 1000}  # values that one request takes


class Tracker:
    """Tracks one run in MLflow without costing it time: figures go to a journal in its folder, and a thread sends them.

    The journal is the truth. A store that goes away stops nothing; what it has missed is sent when it is back, by this
    run, by the next start in the same ``output_dir``, or by ``python -m pipeline.tracking upload <run folder>``.

    A run that is resumed goes on in its MLflow run. It repeats what came after its last checkpoint: a metric that is in
    the journal for a step is not logged again for that step. A parameter keeps its first value, since MLflow's
    parameters cannot change; another value becomes the tag ``changed.<parameter>``.

    A run that ends without ``close`` is FAILED, or KILLED after SIGTERM or SIGINT. Under ``torch.distributed`` only
    rank 0 tracks; on the other ranks every method does nothing.

    Args:
        run: the folder of the run.
        experiment_name: the MLflow experiment, made if absent.
        tracking_uri: the MLflow store, ``sqlite:///<file>`` (artifacts go to ``mlruns`` beside the file) or the address
            of a server. The environment variable ``MLFLOW_TRACKING_URI`` takes precedence.
        params: all hyper-parameters; nested ones get names with dots. A value of more than 6000 characters is cut, and
            its whole text becomes the artifact ``long_values/<name>.txt``.
        tags: further tags. ``mlflow.note.content`` is the description that the UI shows (Markdown).
        config: the merged configuration, kept as ``config.json`` in the run folder and as an artifact.
        close_timeout: seconds that ``close`` waits for the store to take the rest.
    """

    def __init__(
        self,
        run: RunDirectory,
        experiment_name: str,
        tracking_uri: str,
        params: Mapping[str, Any],
        tags: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        close_timeout: float = 30.0,
    ) -> None:
        self.run = run
        self.experiment_name = experiment_name
        self.tracking_uri = tracking_uri
        self.params = params
        self.tags = tags or {}
        self.config = config
        self.close_timeout = close_timeout
        self._guard = ExitGuard(self.close)
        self._journal: Journal | None = None
        self._upload: BackgroundUpload | None = None
        self._closed = False
        self._known_params: dict[str, str] = {}
        self._known_tags: dict[str, str] = {}
        self._known_steps: dict[str, set[int]] = {}

    def start(self) -> None:
        """Create or resume the MLflow run and log parameters, tags, environment and configuration, unless done already.

        Raises:
            InputError: if the store does not answer (a server: within 5 seconds), ``tracking_uri`` is a plain folder,
                the experiment is deleted, or the name of a parameter or tag is not allowed.
        """
        if self._journal is not None or not _is_first_rank():
            return
        uri = resolve_tracking_uri(self.tracking_uri)
        client, experiment_id = connect(uri, self.experiment_name)
        address = {"tracking_uri": hide_credentials(uri), "experiment": self.experiment_name}
        noted = self.run.record["mlflow"]
        known = noted["run_id"] if noted and {**noted, "run_id": None} == {**address, "run_id": None} else None
        run_id = find_or_create_run(client, experiment_id, self.run.name, known)
        self.run.update(mlflow={**address, "run_id": run_id})

        self._recall()
        self._journal = Journal(self.run.path / JOURNAL_NAME)
        self._guard.install()
        if self.run.resumed:
            self._append("status", value="RUNNING", time=_now())
        self.log_tags({"run.kind": self.run.record["kind"], "run.fingerprint": self.run.record["fingerprint"]})
        self.log_tags(self._environment())
        self.log_tags(self.tags)
        self.log_params(self.params)
        if self.config is not None:
            self._write_text("config.json", json.dumps(self.config, indent=4, default=str) + "\n")
            self.log_artifact(self.run.path / "config.json")
        self._upload = BackgroundUpload(
            Uploader(self.run.path, client, run_id), self.run.path.parent, address["tracking_uri"]
        )

    def log_metrics(self, metrics: Mapping[str, Any], step: int, timestamp: int | None = None) -> None:
        """Log numbers at one step.

        Args:
            metrics: name to number (also a tensor or array of one element; NaN and infinity are allowed).
            step: iteration or epoch.
            timestamp: when they were measured, milliseconds since 1970; now if None.

        Raises:
            InputError: if a name is not allowed or a value is not one number.
        """
        if not _is_first_rank():
            return
        values = {
            _checked_name(key): _number(key, value)
            for key, value in metrics.items()
            if step not in self._known_steps.get(key, ())
        }
        for part in _parts(values, _PER_ENTRY["metrics"]):
            self._append("metrics", step=int(step), time=_now() if timestamp is None else timestamp, values=part)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters, see ``params`` of the class.

        Raises:
            InputError: if a name is not allowed.
        """
        if not _is_first_rank():
            return
        texts = {key: hide_credentials(str(value)) for key, value in _flatten(params)}
        new = {key: text for key, text in texts.items() if key not in self._known_params}
        short = self._shortened(new, _MAX_PARAM)
        for part in _parts(short, _PER_ENTRY["params"]):
            self._append("params", values=part)
        self._known_params.update(short)
        changed = {key: text for key, text in texts.items() if _cut(text, _MAX_PARAM) != self._known_params[key]}
        self.log_tags({f"changed.{key}": text for key, text in changed.items()})

    def log_tags(self, tags: Mapping[str, Any]) -> None:
        """Log tags; a later value replaces an earlier one. The whole text of more than 8000 characters is an artifact.

        Raises:
            InputError: if a name is not allowed.
        """
        if not _is_first_rank():
            return
        texts = {key: hide_credentials(str(value)) for key, value in tags.items()}
        for part in _parts(self._shortened(texts, _MAX_TAG), _PER_ENTRY["tags"]):
            self._append("tags", values=part)

    def log_artifact(self, path: str | os.PathLike[str], folder: str = "") -> None:
        """Send a file, or a folder with all in it, to the artifacts.

        It is read when it is sent: leave it where it is until the run has ended, best in the run folder.

        Args:
            path: the file or folder.
            folder: where to put it among the artifacts.

        Raises:
            InputError: if ``path`` does not exist.
        """
        if not _is_first_rank():
            return
        path = Path(path).absolute()
        if not path.exists():
            raise InputError(f"{path}: cannot be logged to MLflow since it does not exist.")
        home = self.run.path.absolute()
        # relative to the run folder, which may be moved
        text = path.relative_to(home) if path.is_relative_to(home) else path
        self._append("artifact", path=str(text), folder=folder)

    def log_dataset(
        self, name: str, path: str | os.PathLike[str], context: str, profile: Mapping[str, Any] | None = None
    ) -> None:
        """Note the data list that the run uses, which the UI shows under "Datasets used".

        Args:
            name: the name of the data set.
            path: the data list, whose SHA-256 (its first 36 digits) is the digest.
            context: what it is used for, for example "training" or "test".
            profile: numbers that describe it, for example ``{"images": 124}``.

        Raises:
            InputError: if ``path`` does not exist.
        """
        if not _is_first_rank():
            return
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: cannot be noted as the data list of the run since it does not exist.")
        self._append(
            "dataset",
            name=name,
            digest=hashlib.sha256(path.read_bytes()).hexdigest()[:36],
            source=path.name,
            profile=json.dumps(dict(profile or {})),
            context=context,
        )

    def close(self, status: str = "FINISHED") -> None:
        """End the run: send the rest and set its status. Does nothing if it has ended or was never started.

        If the store has not taken everything within ``close_timeout`` seconds, a warning says how to send the rest.

        Args:
            status: "FINISHED", "FAILED" or "KILLED".
        """
        if status not in _STATUSES:
            raise ValueError(f"status must be one of {_STATUSES}, got {status!r}.")
        if self._journal is None or self._closed:
            return
        self._closed = True
        self._guard.remove()
        self._journal.append("status", value=status, time=_now())
        self._journal.close()
        self.run.update(status=status)
        if self._upload is not None and not self._upload.close(self.close_timeout):
            logger.warning(
                "MLflow has not taken all figures of this run: they are in %s and the next start, or "
                "`python -m pipeline.tracking upload %s`, sends them.",
                self._journal.path,
                self.run.path,
            )
        self.run.release()

    def _recall(self) -> None:
        """Read what the journal of a resumed run holds already."""
        for entry, _ in read_journal(self.run.path / JOURNAL_NAME):
            if entry["type"] == "metrics":
                for key in entry["values"]:
                    self._known_steps.setdefault(key, set()).add(entry["step"])
            elif entry["type"] == "params":
                self._known_params.update(entry["values"])
            elif entry["type"] == "tags":
                self._known_tags.update(entry["values"])

    def _environment(self) -> dict[str, str]:
        """The environment of this start; where a resumed run began in another one, its tags are kept and it is said."""
        now = describe_environment()
        changed = {key: value for key, value in now.items() if self._known_tags.get(key, value) != value}
        if changed:
            logger.warning("%s goes on with other software: %s.", self.run.name, ", ".join(sorted(changed)))
        kept = {key: value for key, value in now.items() if key not in changed}
        return kept | {f"changed.{key}": value for key, value in changed.items()}

    def _append(self, type: str, **fields: Any) -> None:
        if self._journal is None or self._closed:
            raise RuntimeError(f"{self.run.name}: the tracker is {'closed' if self._closed else 'not started'}.")
        self._journal.append(type, **fields)

    def _shortened(self, texts: Mapping[str, str], limit: int) -> dict[str, str]:
        """Cut texts that MLflow does not take, and keep the whole ones as artifacts."""
        short = {}
        for key, text in texts.items():
            short[_checked_name(key)] = _cut(text, limit)
            if len(text) > limit:
                name = f"long_values/{key.replace('/', '_')}.txt"
                self._write_text(name, text)
                self.log_artifact(self.run.path / name, "long_values")
        return short

    def _write_text(self, name: str, text: str) -> None:
        with atomic_path(self.run.path / name) as file:
            file.write_text(hide_credentials(text))


def _is_first_rank() -> bool:
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not distributed or torch.distributed.get_rank() == 0


def _flatten(params: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    items: list[tuple[str, Any]] = []
    for key, value in params.items():
        items += _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return items


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _checked_name(key: str) -> str:
    # a name is a path in MLflow's eyes: no "a//b", no "../a"
    if not _NAME.fullmatch(key) or os.path.normpath(key) != key or key.startswith((".", "/")):
        raise InputError(
            f"MLflow does not take the name {key!r}: use up to 250 letters, digits, spaces and the signs _ - . : /."
        )
    return key


def _number(key: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"The metric {key!r} must be one number, but is {type(value).__name__}.") from error


def _parts(values: dict[str, Any], size: int) -> list[dict[str, Any]]:
    items = list(values.items())
    return [dict(items[start : start + size]) for start in range(0, len(items), size)]


def _now() -> int:
    return int(time.time() * 1000)
