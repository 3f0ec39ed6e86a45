# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.tracking import Tracker, upload_folder
from pipeline.utils import InputError
from tests.interpreter import Interpreter, Program, wait_until

from .store import mlflow_run, points

NewTracker = Callable[..., Tracker]

PROGRAM = """
import os, signal, sys, time
from pipeline.runs import open_run
from pipeline.tracking import Tracker

{before}
tracker = Tracker(open_run({eval!r}, "training", {{"a": 1}}), "lungs", {store!r}, {{}})
tracker.start()
for step in range({first}, {last}):
    tracker.log_metrics({{"loss": step}}, step=step)
{end}
"""


@pytest.fixture
def run_program(interpreter: Interpreter, store: str, tmp_path: Path) -> Callable[..., Program]:
    """Run a program that logs steps and ends somehow, by a signal if one is given."""

    def run(end: str, kill: int | None = None, first: int = 0, last: int = 50, before: str = "") -> Program:
        end = end + ('; print("waiting", flush=True); time.sleep(60)' if kill else "")
        program = interpreter.start(
            PROGRAM.format(eval=str(tmp_path / "eval"), store=store, first=first, last=last, end=end, before=before)
        )
        if kill:
            wait_until(lambda: "waiting" in program.output)
            program.kill(kill)
        program.wait()
        return program

    return run


def the_run(tmp_path: Path) -> tuple[Path, dict[str, object]]:
    (file,) = (tmp_path / "eval").glob("*/run.json")
    return file.parent, json.loads(file.read_text())


@pytest.mark.parametrize(
    ("end", "kill", "exit_status", "status"),
    [
        ("tracker.close()", None, 0, "FINISHED"),
        ("raise ValueError('broken')", None, 1, "FAILED"),
        ("sys.exit(3)", None, 3, "FAILED"),
        ("pass", None, 0, "FAILED"),
        ("pass", signal.SIGTERM, 143, "KILLED"),
        ("pass", signal.SIGINT, -signal.SIGINT if sys.version_info >= (3, 11) else 1, "KILLED"),
    ],
)
def test_status_and_exit_status(
    run_program: Callable[..., Program],
    new_tracker: NewTracker,
    tmp_path: Path,
    end: str,
    kill: int | None,
    exit_status: int,
    status: str,
) -> None:
    assert run_program(end, kill).status == exit_status
    _, record = the_run(tmp_path)
    assert record["status"] == status
    other = new_tracker({"another": 1})
    other.run.record["mlflow"] = record["mlflow"]
    assert mlflow_run(other)[1].info.status == status
    assert points(other, "loss") == [(step, step) for step in range(50)]


def test_a_handler_of_before_still_gets_the_signal(run_program: Callable[..., Program], tmp_path: Path) -> None:
    before = 'signal.signal(signal.SIGTERM, lambda *_: (print("mine", flush=True), sys.exit(7)))'
    program = run_program("pass", signal.SIGTERM, before=before)
    assert program.status == 7 and "mine" in program.output
    assert the_run(tmp_path)[1]["status"] == "KILLED"


def test_after_kill_9_the_next_start_goes_on_in_the_same_run(
    run_program: Callable[..., Program], new_tracker: NewTracker, tmp_path: Path
) -> None:
    assert run_program("pass", signal.SIGKILL).status == -signal.SIGKILL
    folder, record = the_run(tmp_path)
    assert record["status"] == "RUNNING"
    # as if the power had gone in the middle of a line
    with open(folder / "journal.jsonl", "ab") as journal:
        journal.write(b'{"type": "metrics", "st')
    assert run_program("tracker.close()", first=40, last=60).status == 0
    assert the_run(tmp_path) == (folder, {**the_run(tmp_path)[1], "status": "FINISHED", "mlflow": record["mlflow"]})
    other = new_tracker({"another": 1})
    other.run.record["mlflow"] = record["mlflow"]
    assert mlflow_run(other)[1].info.status == "FINISHED"
    assert points(other, "loss") == [(step, step) for step in range(60)]


def test_after_kill_9_a_start_of_another_run_sends_the_rest_and_closes_it(
    run_program: Callable[..., Program], new_tracker: NewTracker, tmp_path: Path
) -> None:
    run_program("pass", signal.SIGKILL)
    folder, record = the_run(tmp_path)
    other = new_tracker({"another": 1})
    dead = new_tracker({"yet another": 1})
    dead.run.record["mlflow"] = record["mlflow"]
    assert mlflow_run(dead)[1].info.status == "KILLED"
    assert points(dead, "loss") == [(step, step) for step in range(50)]
    assert json.loads((folder / "run.json").read_text()) == record
    assert mlflow_run(other)[1].info.status == "RUNNING"


def test_a_live_run_is_left_alone(new_tracker: NewTracker) -> None:
    live, other = new_tracker({"a": 1}), new_tracker({"b": 1})
    other.close()
    assert mlflow_run(live)[1].info.status == "RUNNING"
    with pytest.raises(InputError) as error:
        upload_folder(live.run.path)
    assert str(error.value) == f"{live.run.path}: its run is still going on and sends its figures itself."


def test_upload_names_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        upload_folder(tmp_path)
    assert str(error.value) == f"{tmp_path}: is not the folder of a run (it has no run.json)."
