# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipeline.runs import RunDirectory, describe_device
from pipeline.utils import atomic_path, is_first_process

from .close_at_exit import close_at_exit
from .journal import JOURNAL_NAME, Journal, read_journal
from .network import save_network
from .run_tags import run_tags
from .store import connect, find_or_create_run, hide_credentials, resolve_tracking_uri, short_reason
from .system_metrics import SystemMetrics
from .upload import Upload, upload_leftovers

__all__ = ["Tracker"]

logger = logging.getLogger(__name__)

_MOST = {"params": 6000, "tags": 8000}  # characters that MLflow keeps


@dataclass(eq=False)
class Tracker:
    """Tracks one run in MLflow: all goes to a journal in its folder, and from there after each epoch to the store.

    The journal is the truth. A store that goes away stops nothing: after a failure nothing more is sent until the
    close, and what is missing then by the next start in the same ``output_dir`` or ``python -m pipeline.tracking``.
    A resumed run goes on in its MLflow run and repeats no point of the same value. A run that ends without ``close``
    is FAILED, or KILLED after SIGTERM or SIGINT. Under ``torch.distributed`` only rank 0 tracks.

    Args:
        run: the folder of the run.
        experiment_name: the MLflow experiment, made if absent.
        tracking_uri: the store, see ``resolve_tracking_uri``.
        params: all hyper-parameters; nested ones get names with dots.
        tags: further tags.
        config: the merged configuration, kept as ``config.json`` in the run folder and as an artifact.
        run_name: what MLflow shows; the folder's name if None.
        datasets: the arguments of ``log_dataset`` for each part of the data.
    """

    run: RunDirectory
    experiment_name: str
    tracking_uri: str
    params: Mapping[str, Any]
    tags: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    run_name: str | None = None
    datasets: Sequence[tuple[str, str, str, str, Mapping[str, Any]]] = ()

    def __post_init__(self) -> None:
        self._closed = False
        self._store_answers = True
        self._journal: Journal | None = None
        self._known: dict[str, dict[str, str]] = {"params": {}, "tags": {}}
        self._known_points: dict[tuple[str, int], float] = {}
        self._status: str | None = None
        self._differs = False
        self._samples = 0

    def start(self) -> None:
        """Create or resume the MLflow run, and log what is known of it; raises what ``connect`` does."""
        if self._journal is not None or not is_first_process():
            return
        uri = resolve_tracking_uri(self.tracking_uri)
        client, experiment_id = connect(uri, self.experiment_name)
        address = {"tracking_uri": hide_credentials(uri), "experiment": self.experiment_name}
        noted = self.run.record.get("mlflow") or {}
        known_id = noted["run_id"] if noted.items() >= address.items() else None
        run_id = find_or_create_run(client, experiment_id, self.run.name, known_id, self.run_name)
        self.run.update(mlflow={**address, "run_id": run_id})

        self._recall()
        self._journal = Journal(self.run.path / JOURNAL_NAME)
        close_at_exit(self.close)
        self._upload = Upload(self.run.path, client, run_id)
        self._system = SystemMetrics()
        if self.run.resumed:
            self._append("status", value="RUNNING", time=_now())
        self._log_once("tags", run_tags())
        self.log_tags({"run.kind": self.run.record["kind"], "run.fingerprint": self.run.record["fingerprint"]})
        self.log_tags(self.tags)
        self._log_once("params", _flatten(self.params))
        with atomic_path(self.run.path / "config.json") as file:
            file.write_text(hide_credentials(json.dumps(self.config, indent=4, default=str)) + "\n")
        self.log_artifact(self.run.path / "config.json")
        for dataset in self.datasets:
            self.log_dataset(*dataset)
        upload_leftovers(self.run.path.parent, client, address["tracking_uri"])
        self._send()

    def log_metrics(self, metrics: Mapping[str, Any], step: int, timestamp: int | None = None) -> None:
        """Log numbers, also tensors of one element, measured at ``timestamp`` (milliseconds since 1970) or now.

        What a resumed run repeats is left out if it is the same. MLflow keeps another value too, and shows it last.
        """
        values = {key: float(value) for key, value in metrics.items()}
        known = {key: self._known_points[key, step] for key in values if (key, step) in self._known_points}
        new = {key: value for key, value in values.items() if key not in known or not _same(known[key], value)}
        if not self._differs and known.keys() & new.keys():
            self._differs = True
            logger.warning("%s repeats step %d and comes to another value; MLflow keeps both.", self.run.name, step)
        if new:
            self._append("metrics", step=int(step), time=_now() if timestamp is None else timestamp, values=new)

    def log_tags(self, tags: Mapping[str, Any]) -> None:
        """Log tags; a later value replaces an earlier one."""
        if tags:
            self._append("tags", values={key: _text("tags", value) for key, value in tags.items()})

    def log_device(self, device: torch.device) -> None:
        """Note on which device the run is."""
        self._log_once("tags", describe_device(device))

    def log_artifact(self, path: str | os.PathLike[str], folder: str = "") -> None:
        """Put a file or folder into ``folder`` of the artifacts. It is read when it is sent: leave it where it is."""
        path, home = Path(path).absolute(), self.run.path.absolute()
        # relative to the run folder, which may be moved
        self._append("artifact", path=str(path.relative_to(home) if path.is_relative_to(home) else path), folder=folder)

    def log_dataset(self, name: str, digest: str, source: str, context: str, profile: Mapping[str, Any]) -> None:
        """Note data that the run uses, for example as ``context`` "training", with a ``profile`` {"images": 124}."""
        text = json.dumps(profile)
        self._append("dataset", name=name, digest=digest[:36], source=source, profile=text, context=context)

    def log_network(self, name: str, network: torch.nn.Module, shape: Sequence[int]) -> None:
        """Register the trained network of ``config`` by ``name``; ``shape`` is that of a picture, channels first."""
        if is_first_process():
            folder = self.run.path / "network"
            self._append("network", name=name, path=folder.name, **save_network(folder, network, self.config, shape))

    def end_epoch(self) -> None:
        """Take the system metrics and send what is in the journal, unless the store has failed before."""
        if is_first_process():
            values = self._system.sample()
            self._samples += 1
            self._append("metrics", step=self._samples, time=_now(), values=values)
            self._send()

    def close(self, status: str = "FINISHED") -> None:
        """End the run as FINISHED, FAILED or KILLED and send the rest, unless it has ended or was never started."""
        if self._journal is None or self._closed:
            return
        # a signal in the middle of this calls it again, with another status
        self._status = self._status or status
        self._append("status", value=self._status, time=_now())
        self.run.update(status=self._status)
        self._closed = True
        self._journal.close()
        self._store_answers = True
        self._send()
        self.run.release()

    def _send(self) -> None:
        if not self._store_answers:
            return
        try:
            self._upload.send()
        # whatever the store's client raises, the run goes on
        except Exception as error:
            self._store_answers = False
            logger.warning(
                "MLflow does not take the figures (%s). They are in %s, and %s.",
                short_reason(error),
                self.run.path / JOURNAL_NAME,
                f"the next start, or `python -m pipeline.tracking upload {self.run.path}`, sends them"
                if self._closed
                else "are sent when the run ends",
            )

    def _recall(self) -> None:
        """Read what the journal of a resumed run holds already."""
        for entry, _ in read_journal(self.run.path / JOURNAL_NAME):
            if entry["type"] == "metrics":
                for key, value in entry["values"].items():
                    self._known_points[key, entry["step"]] = value
                    if key.startswith("system/"):
                        self._samples = max(self._samples, entry["step"])
            elif entry["type"] in self._known:
                self._known[entry["type"]].update(entry["values"])

    def _log_once(self, kind: str, values: Mapping[str, Any]) -> None:
        """Log parameters or tags that keep their first value: MLflow's parameters cannot change."""
        texts = {key: _text(kind, value) for key, value in values.items()}
        known = self._known[kind]
        new = {key: text for key, text in texts.items() if key not in known}
        if new:
            self._append(kind, values=new)
        changed = {key: text for key, text in texts.items() if known.get(key, text) != text}
        if changed:
            logger.warning("%s goes on with another %s.", self.run.name, ", ".join(sorted(changed)))
            self.log_tags({f"changed.{key}": text for key, text in changed.items()})

    def _append(self, type: str, **fields: Any) -> None:
        if not is_first_process():
            return
        if self._journal is None or self._closed:
            raise RuntimeError(f"{self.run.name}: the tracker is {'closed' if self._closed else 'not started'}.")
        self._journal.append({"type": type, **fields})


def _flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    items: dict[str, Any] = {}
    for key, value in params.items():
        items |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return items


def _text(kind: str, value: Any) -> str:
    text = hide_credentials(str(value))
    return text if len(text) <= _MOST[kind] else text[: _MOST[kind] - 3] + "..."


def _same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


def _now() -> int:
    return int(time.time() * 1000)
