# SPDX-License-Identifier: Apache-2.0
"""The folder of a run, new or interrupted."""

from __future__ import annotations

import json
import os
import platform
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch.distributed

from pipeline.utils import InputError, atomic_path, is_first_process

from .environment import describe_code
from .fingerprint import fingerprint_config
from .folder_lock import FolderLock

__all__ = ["RunDirectory", "is_live", "lock_run", "open_run", "read_run", "read_runs"]

_LOOKING = 1.0  # seconds, far more than `is_live` holds the lock


@dataclass
class RunDirectory:
    """The folder of one run and its record ``run.json``.

    Args:
        path: the folder ``<kind>_<date>-<time>-<six random digits>``; everything the run writes belongs here.
        record: the content of ``run.json``: name, kind, fingerprint, started (UTC), status (RUNNING, FINISHED, FAILED
            or KILLED), pid and host of the last process, ``code`` (what ``describe_code`` said whenever a process took
            the run up, without repetitions), and where it is tracked, if it is.
        lock: the held lock of the folder, or None for a process that only reads it.
        resumed: whether the run continues one that was interrupted.
    """

    path: Path
    record: dict[str, Any]
    lock: FolderLock | None = None
    resumed: bool = False

    @property
    def name(self) -> str:
        return self.path.name

    def update(self, **fields: Any) -> None:
        """Change fields of ``run.json``, on the disk too."""
        self.record.update(fields)
        with atomic_path(self.path / "run.json") as file:
            file.write_text(json.dumps(self.record, indent=2) + "\n")

    def release(self) -> None:
        """Release the folder for other processes: the run has ended."""
        if self.lock is not None:
            self.lock.release()


def open_run(output_dir: str | os.PathLike[str], kind: str, config: Mapping[str, Any]) -> RunDirectory:
    """Open the folder of a run in ``output_dir``: that of an interrupted run of the same configuration, or a new one.

    The newest run of this kind and configuration is resumed if it is not FINISHED and its process is dead. The folder
    stays locked until ``RunDirectory.release`` or the end of the process. Under ``torch.distributed`` (initialize it
    first) rank 0 opens the folder and tells the others.

    Args:
        output_dir: the folder of all runs, made if absent.
        kind: what the run does, for example "training" or "evaluating".
        config: the configuration of the run, for example ``merged_config()``.
    """
    arguments = Path(output_dir), kind, fingerprint_config(config)
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return _open(*arguments)
    shared: list[Any] = [None]
    run = None
    if is_first_process():
        try:
            run = _open(*arguments)
            shared = [(run.path, run.record, run.resumed)]
        except InputError as error:
            shared = [error]
    torch.distributed.broadcast_object_list(shared)
    if isinstance(shared[0], InputError):
        raise shared[0]
    path, record, resumed = shared[0]
    return run or RunDirectory(path, record, resumed=resumed)


def read_runs(output_dir: Path) -> Iterator[RunDirectory]:
    """Yield all runs in ``output_dir``, the newest first, unlocked."""
    runs = [read_run(file.parent) for file in output_dir.glob("*/run.json")]
    yield from sorted(runs, key=lambda run: (run.record["started"], run.name), reverse=True)


def read_run(path: Path) -> RunDirectory:
    """Return the run in folder ``path``, unlocked."""
    return RunDirectory(path, _read_record(path / "run.json"))


def lock_run(path: Path) -> RunDirectory | None:
    """Return the run in folder ``path``, locked, or None if its process lives."""
    lock = FolderLock(path)
    # a process that only looks whether the run lives does not count as the run's own
    if not lock.acquire(seconds=_LOOKING):
        return None
    try:
        # read after locking: the run may have gone on until then
        return RunDirectory(path, _read_record(path / "run.json"), lock)
    except BaseException:
        lock.release()
        raise


def is_live(path: Path) -> bool:
    """Return whether a process has the run in folder ``path``, and leave the run free."""
    lock = FolderLock(path)
    free = lock.acquire()
    lock.release()
    return not free


def _open(output_dir: Path, kind: str, fingerprint: str) -> RunDirectory:
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        return _resume(output_dir, kind, fingerprint) or _create(output_dir, kind, fingerprint)
    except OSError as error:
        raise InputError(
            f"{output_dir}: cannot be written ({error.strerror}). Give another output_dir or make room there."
        ) from error


def _resume(output_dir: Path, kind: str, fingerprint: str) -> RunDirectory | None:
    wanted = kind, fingerprint
    runs = (run for run in read_runs(output_dir) if (run.record["kind"], run.record["fingerprint"]) == wanted)
    newest = next(runs, None)
    run = None if newest is None else lock_run(newest.path)
    if run is None:
        return None
    if run.record["status"] == "FINISHED":
        run.release()
        return None
    run.resumed = True
    code = run.record.get("code", [])
    now = describe_code()
    run.update(status="RUNNING", **_process(), code=code if now in code else [*code, now])
    return run


def _create(output_dir: Path, kind: str, fingerprint: str) -> RunDirectory:
    now = datetime.now(UTC)
    path = output_dir / f"{kind}_{now.astimezone():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    path.mkdir()
    lock = FolderLock(path)
    lock.acquire()
    run = RunDirectory(path, {}, lock)
    made = {"name": path.name, "kind": kind, "fingerprint": fingerprint, "started": now.isoformat()}
    run.update(**made, status="RUNNING", **_process(), code=[describe_code()])
    return run


def _process() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": platform.node()}


def _read_record(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text())
        if {"name", "kind", "fingerprint", "started", "status"} <= record.keys():
            return dict(record)
    except (ValueError, AttributeError):
        pass
    raise InputError(f"{file}: is not the record of a run. Remove this file or give another output_dir.")
