# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from monai.utils import StrEnum

from pipeline.tracking.folder_lock import FolderLock
from pipeline.utils import InputError, atomic_path
from pipeline.weights import fingerprint_file

from .cell import Cell
from .data_list import DataList

__all__ = ["STOPPED", "CellFolder", "Status"]

# exit statuses of a run that was asked to stop, or that died with the runner before it could say anything
STOPPED = (None, 143, 130, -15, -2)

_PROMPT = "$ "
_TAIL = 65536  # bytes of a log that hold its last error
_RECORDED = {"fingerprint", "data_fingerprint", "data_description", "needs", "exit_status"}
_ERROR = re.compile(r"error: |[\w.]*(Error|Exception|Interrupt)\b")


class Status(StrEnum):
    """What has become of a cell."""

    FINISHED = "finished"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    TO_DO = "to do"
    WAITING = "waiting"


class CellFolder:
    """The folder of a cell: ``<results>/cells/<name>``.

    It holds ``cell.json`` (what it was made from and how its last process ended), ``log.txt`` (all that its processes
    have said), ``runs`` (the bundle's run folders) and ``models``. The cell is finished when a run folder holds
    ``result.json``, which a bundle writes last of all.

    Args:
        results_dir: the folder of all results.
        cell: the cell.
        fingerprint: its fingerprint, see ``fingerprint_cells``.
        needs: the folders of the cells whose weights it takes, by the setting that gets their file.
    """

    def __init__(
        self, results_dir: Path, cell: Cell, fingerprint: str, needs: Mapping[str, CellFolder] | None = None
    ) -> None:
        self.cell = cell
        self.fingerprint = fingerprint
        self.needs = needs or {}
        self.path = results_dir / "cells" / cell.name
        self.log = self.path / "log.txt"
        self.runs = self.path / "runs"
        self.models = self.path / "models"
        self.weights = self.models / "model.pt"
        self.lock = FolderLock(self.path)
        self._file = self.path / "cell.json"
        self._own: dict[str, Any] = {}

    @property
    def result(self) -> Path | None:
        """The run folder with the cell's result; None if it is not finished."""
        files = sorted(self.runs.glob("*/result.json"), key=lambda file: file.stat().st_mtime)
        return files[-1].parent if files else None

    @property
    def weights_fingerprint(self) -> str | None:
        """SHA-256 of the weights; None if there are none."""
        if not self.weights.exists():
            return None
        stat = self.weights.stat()
        return _sha256(self.weights, stat.st_mtime_ns, stat.st_size)

    @property
    def data_description(self) -> str:
        """What the cell's data list said that the data is."""
        record = self._record()
        return "" if record is None else str(record["data_description"])

    def check(self, data_fingerprint: str | None = None) -> None:
        """Refuse what another matrix, configuration, data list or other weights have left here or in what it needs.

        Args:
            data_fingerprint: of the cell's data list; None not to look at it.

        Raises:
            InputError: if there is such a thing, or ``cell.json`` is damaged.
        """
        for need in self.needs.values():
            need.check(data_fingerprint)
        record = self._record()
        if record is None:
            if self.result is not None or self.weights.exists():
                raise InputError(f"{self.path} holds results without cell.json; {self._advice()}")
            return
        if record["fingerprint"] != self.fingerprint:
            raise InputError(f"{self.path} was made with another configuration or other settings; {self._advice()}")
        if data_fingerprint not in (None, record["data_fingerprint"]):
            raise InputError(f"{self.path} was made with other data; {self._advice()}")
        for setting, need in self.needs.items():
            # weights that are being made, or were removed when they had served, contradict nothing
            if need.result is not None and need.weights_fingerprint not in (None, record["needs"][setting]):
                raise InputError(f"{self.path} was made with other weights of {need.cell.name}; {self._advice()}")

    def check_record(self) -> None:
        """Refuse a damaged ``cell.json``, without a look at the lock.

        Raises:
            InputError: if it is damaged.
        """
        self._record()

    def status(self) -> Status:
        """What has become of the cell, whether or not it waits for others.

        Raises:
            InputError: if ``cell.json`` is damaged.
        """
        if self.result is not None:
            return Status.FINISHED
        record = self._record()
        if record is None:
            return Status.TO_DO
        if not self.lock.acquire():
            return Status.RUNNING
        self.lock.release()
        return Status.INTERRUPTED if record["exit_status"] in STOPPED else Status.FAILED

    def begin(self, command: list[str], data: DataList) -> None:
        """Note that a process starts, on which data and with which weights."""
        self._own = {
            "name": self.cell.name,
            "labels": dict(self.cell.labels),
            "fingerprint": self.fingerprint,
            "data_fingerprint": data.fingerprint,
            "data_description": data.description,
            "needs": {setting: need.weights_fingerprint for setting, need in self.needs.items()},
            "command": command,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "exit_status": None,
        }
        self._write()

    def end(self, exit_status: int) -> Status:
        """Note how the process that ``begin`` noted has ended, and return what has become of the cell."""
        self._own["exit_status"] = exit_status
        self._write()
        if self.result is not None:
            return Status.FINISHED
        return Status.INTERRUPTED if exit_status in STOPPED else Status.FAILED

    def open_log(self, command: list[str]) -> int:
        """Open the log to append to it, after a line with the command, and return the descriptor."""
        handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.write(handle, f"{_PROMPT}{shlex.join(command)}\n".encode())
        return handle

    def last_error(self) -> str:
        """The last line that looks like an error of the last process, or else the last line that it wrote.

        What MONAI only says about a configuration in which something has failed does not count beside the failure.
        """
        with open(self.log, "rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL))
            text = file.read().decode(errors="replace")
        # progress bars end their lines with \r
        lines = [line.strip() for line in re.split(r"[\r\n]+", text.rpartition(f"\n{_PROMPT}")[2])]
        said = [line for line in lines[1:] if line]
        errors = [line for line in said if _ERROR.match(line)]
        causes = [line for line in errors if not line.startswith("RuntimeError: Failed to ")]
        return (causes or errors or said or ["no output"])[-1]

    def _record(self) -> dict[str, Any] | None:
        try:
            record = json.loads(self._file.read_text(encoding="utf-8"))
            if record.keys() >= _RECORDED and record["needs"].keys() == self.needs.keys():
                return dict(record)
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError):
            pass
        raise InputError(f"{self._file} is damaged; {self._advice()}")

    def _write(self) -> None:
        with atomic_path(self._file) as file:
            file.write_text(json.dumps(self._own, indent=4) + "\n", encoding="utf-8")

    def _advice(self) -> str:
        return "remove this folder to run the cell again, or give another --results."


@lru_cache
def _sha256(file: Path, modified: int, size: int) -> str:
    """The hash of a file, computed anew when its time or size has changed."""
    return fingerprint_file(file)
