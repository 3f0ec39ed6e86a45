# SPDX-License-Identifier: Apache-2.0
"""Runs one cell in this process: takes its folder, runs the bundle there, and says last of all where the result is."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pipeline.runs import FolderLock
from pipeline.weights import fingerprint_file

from .bundle_command import bundle_command
from .finished import find_result, weights_of, work_folder, write_finished
from .gpus import take_gpus
from .plan import Plan

__all__ = ["run_cell"]

_PROMPT = "$ python -m "
_TAIL = 65536  # bytes of a log that hold its last error
_ERROR = re.compile(r"error: |[\w.]*(Error|Exception|Interrupt)\b")


def run_cell(plan: Plan, name: str, processes: int = 1) -> int:
    """Run a cell of a plan from the repository's root, or go on with it, and write its file ``finished``.

    While another process runs it, this one waits: a cell that was left behind by a killed Snakemake runs on. What the
    bundle says goes to ``log.txt`` in the cell's folder.

    Args:
        plan: the plan.
        name: the cell.
        processes: how many processes share it, one on each GPU, by ``torchrun``; the battery has one.

    Returns:
        exit status, 0 if the cell is finished.

    Raises:
        InputError: if weights that it takes are gone or changed, or there are fewer GPUs than processes.
    """
    cell = plan.cells[name]
    if cell.run_id == "robustness":
        processes = 1  # the battery's
    weights = {setting: weights_of(plan, need) for setting, need in cell.needs.items()}
    needs = {setting: fingerprint_file(file) for setting, file in weights.items()}
    folder = plan.results_dir / work_folder(cell, needs)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.parent / "log.txt"
    lock = FolderLock(folder)
    if not lock.acquire():
        _say(sys.stdout, f"{name}: another process runs it; waiting for it.")
        lock.acquire(blocking=True)
    try:
        status = 0
        if find_result(folder) is None:
            locations = {
                "dataset_dir": Path(cell.dataset_dir),
                "output_dir": folder / "runs",
                "ckpt_dir": folder / "models",
                **({"robustness_dir": folder / "robustness"} if cell.run_id == "robustness" else {}),
                **weights,
                "experiment_name": plan.experiment,
                "run_name": f"$bundle.run_title() + ' · {cell.labels['data']} · seed {cell.labels['seed']}'",
            }
            take_gpus(processes)
            status = _run(name, bundle_command(cell, locations, processes), log)
        run = find_result(folder)
        if run is None:
            return status or 1
        write_finished(plan, cell, run, folder / "models" / "model.pt", needs)
        _send_rest(run)
        return 0
    finally:
        lock.release()


def _send_rest(run: Path) -> None:
    """Send what MLflow has not got of a run that was killed after its result, or whose server was away."""
    from pipeline.tracking import hide_credentials, upload_folder

    try:
        upload_folder(run)
    # each kind of store has errors of its own, and none is a reason to run the cell again
    except Exception as error:
        print(f"{run}: MLflow has not got all of it ({hide_credentials(str(error))}).", file=sys.stderr, flush=True)


def _run(name: str, command: list[str], log: Path) -> int:
    """Run a module of Python with its arguments in this process, which says the rest into the log."""
    with _into(log) as terminal:
        print(f"{_PROMPT}{shlex.join(command)}", flush=True)
        _say(terminal, f"{name}: started")
        status = _run_module(command)
        sys.stdout.flush()
        sys.stderr.flush()
        said = {0: "ended", 143: "stopped", 130: "stopped"}.get(status) or f"failed: {_last_error(log)} (see {log})"
        _say(terminal, f"{name}: {said}")
    return status


def _run_module(command: list[str]) -> int:
    """What ``python -m`` does; the exit status."""
    sys.argv = command
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except KeyboardInterrupt:
        return 130
    # as Python itself: the traceback, which goes into the log, and status 1
    except Exception:
        sys.excepthook(*sys.exc_info())
        return 1


@contextmanager
def _into(log: Path) -> Iterator[TextIO]:
    """Send what this process and its children write to the end of a file; yield what was the output before."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = [os.dup(descriptor) for descriptor in (1, 2)]
    with open(log, "ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        with os.fdopen(os.dup(before[0]), "w") as terminal:
            yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, old in zip((1, 2), before, strict=True):
            os.dup2(old, descriptor)
            os.close(old)


def _last_error(log: Path) -> str:
    """The last line that looks like an error of the last process, or else the last line that it wrote.

    What MONAI only says about a configuration in which something has failed does not count beside the failure.
    """
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        text = file.read().decode(errors="replace")
    # progress bars end their lines with \r
    lines = [line.strip() for line in re.split(r"[\r\n]+", text.rpartition(f"\n{_PROMPT}")[2])]
    said = [line for line in lines[1:] if line]
    errors = [line for line in said if _ERROR.match(line)]
    causes = [line for line in errors if not line.startswith("RuntimeError: Failed to ")]
    return (causes or errors or said or ["no output"])[-1]


def _say(stream: TextIO, text: str) -> None:
    print(f"{datetime.now():%H:%M:%S}  {text}", file=stream, flush=True)
