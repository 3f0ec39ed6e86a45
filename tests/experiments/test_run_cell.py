# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
import torch

from experiments import gpus
from experiments import run_cell as running
from experiments.__main__ import main
from experiments.finished import read_finished, work_folder
from pipeline.runs import FolderLock
from pipeline.utils import InputError
from pipeline.weights import fingerprint_file
from tests.interpreter import Interpreter, wait_until

from .conftest import CELLS, Project

WITH, WITHOUT, FROZEN, TUNED, READING, TRANSFER = CELLS


def test_cells_get_their_places_and_the_weights_that_they_need(project: Project) -> None:
    plan = project.plan()
    assert project.run() == [0] * 6
    options = dict(project.calls)
    own = project.results / "cells" / WITH / plan.cells[WITH].fingerprint
    assert options[WITH]["--output_dir"] == str(own / "runs") and options[WITH]["--ckpt_dir"] == str(own / "models")
    assert options[WITH]["--dataset_dir"] == str(project.folder / "data")
    assert options[WITH]["--experiment_name"] == "toy" and " · lungs · seed 0'" in options[WITH]["--run_name"]
    assert options[TRANSFER]["--ckpt_path"] == str(own / "models" / "model.pt")
    without = read_finished(plan, plan.cells[WITHOUT])
    assert without is not None and options[TRANSFER]["--surrogate_weights"] == str(without.weights)
    assert options[FROZEN]["--initial_weights"] == str(without.weights)
    finished = read_finished(plan, plan.cells[FROZEN])
    assert finished is not None and finished.run == project.run_folder(FROZEN)
    assert finished.needs == {"initial_weights": fingerprint_file(without.weights)}
    assert read_finished(plan, plan.cells[READING]).sha256 is None  # type: ignore[union-attr]


def test_the_battery_gets_the_weights_and_a_place_for_its_report(project: Project) -> None:
    claim = {"data": ["lungs"], "networks": ["nlcen_nlce"], "readings": ["worst_case"], "defences": ["mixed"]}
    project.change(ablation=None, claim=claim, settings={"epsilons": [0.5, 32.0]})
    plan = project.plan()
    assert project.run() == [0] * 5
    weights = "lungs-claim-defence_mixed-nlcen_nlce-seed0"
    name = weights.replace("claim", "claim-worst_case")
    options = dict(project.calls)
    assert options[name]["--ckpt_path"] == str(_weights(project, weights))
    assert options[name]["--robustness_dir"] == str(project.run_folder(name).parents[1] / "robustness")
    assert all("--robustness_dir" not in options[other] for other in (WITH, weights))
    assert plan.cells[name].run_id == "robustness"


def test_the_battery_has_one_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = {"data": ["lungs"], "networks": ["nlcen_nlce"], "readings": ["worst_case"]}
    project.change(ablation=None, claim=claim, settings={"epsilons": [0.5, 32.0]})
    plan, taken = project.plan(), []
    monkeypatch.setattr(running, "take_gpus", taken.append)
    assert project.run(WITH) == [0]
    assert running.run_cell(plan, "lungs-claim-worst_case-nlcen_nlce-seed0", processes=2) == 0
    assert taken == [1, 1] and dict(project.calls)["lungs-claim-worst_case-nlcen_nlce-seed0"]


def test_a_finished_cell_is_not_run_again_and_one_with_a_result_gets_its_file(project: Project) -> None:
    plan = project.plan()
    assert project.run(WITH, WITH) == [0, 0]
    # as after a kill between the bundle's last word and ours
    (project.results / plan.cells[WITH].finished).unlink()
    assert project.run(WITH) == [0] and len(project.calls) == 1
    assert read_finished(plan, plan.cells[WITH]) is not None


def test_other_settings_have_another_folder_and_come_back_to_their_own(project: Project) -> None:
    first = project.plan().cells[WITH]
    assert project.run(WITH) == [0]
    project.change(settings={"max_epochs": 4})
    plan = project.plan()
    assert plan.cells[WITH].finished != first.finished and read_finished(plan, plan.cells[WITH]) is None
    assert project.run(WITH) == [0] and len(project.calls) == 2
    project.change(settings={"max_epochs": 3})
    assert read_finished(project.plan(), first) is not None


def test_weights_that_were_made_anew_leave_nothing_of_the_old_ones(project: Project) -> None:
    plan = project.plan()
    assert project.run(WITHOUT, FROZEN, TUNED) == [0] * 3
    old = work_folder(plan.cells[FROZEN], {"initial_weights": fingerprint_file(_weights(project, WITHOUT))})
    assert (project.results / old).is_dir()
    # the weights of another training, in their place and noted
    file = project.results / plan.cells[WITHOUT].finished
    _weights(project, WITHOUT).write_text("others")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "sha256": fingerprint_file(_weights(project, WITHOUT))}))
    # what started from them, and what started from that, counts no more
    assert [read_finished(plan, plan.cells[name]) for name in (FROZEN, TUNED)] == [None, None]
    assert project.run(FROZEN) == [0] and len(project.calls) == 4
    assert Path(dict(project.calls)[FROZEN]["--output_dir"]).parent != project.results / old


def _weights(project: Project, name: str) -> Path:
    return next(project.results.glob(f"cells/{name}/*/models/model.pt"))


def test_weights_that_are_gone_or_not_there_yet(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    plan = project.plan()
    assert project.run(FROZEN) == [2]
    assert capsys.readouterr().err == f"error: {WITHOUT} is not finished; run it first.\n"
    assert project.run(WITHOUT) == [0]
    _weights(project, WITHOUT).unlink()
    capsys.readouterr()
    assert project.run(FROZEN) == [2]
    error = capsys.readouterr().err
    assert "model.pt is gone or changed" in error and plan.cells[WITHOUT].finished in error
    (project.results / plan.cells[WITHOUT].finished).write_text("{")
    assert project.run(FROZEN) == [2]
    assert capsys.readouterr().err.endswith(".json is damaged; remove it, and run the matrix again.\n")


def test_a_cell_of_another_plan_is_refused(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    old = project.plan().cells[WITH]
    project.change(settings={"max_epochs": 4})
    project.plan()
    for name, fingerprint in ((WITH, old.fingerprint), ("nosuch", old.fingerprint)):
        assert main(["cell", name, fingerprint, "--results", str(project.results)]) == 2
        assert name in capsys.readouterr().err
    assert project.calls == []


def test_what_a_finished_cell_owes_mlflow_is_sent(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Path] = []
    monkeypatch.setattr("pipeline.tracking.upload_folder", sent.append)
    project.plan()
    assert project.run(WITH) == [0] and sent == [project.run_folder(WITH)]
    monkeypatch.setattr("pipeline.tracking.upload_folder", lambda run: 1 / 0)
    assert project.run(WITHOUT) == [0]


def test_a_failed_cell_leaves_no_file(project: Project) -> None:
    plan = project.plan()
    project.broken.add(WITH)
    assert project.run(WITH) == [1]
    assert not (project.results / plan.cells[WITH].finished).exists()
    project.broken.clear()
    assert project.run(WITH) == [0]


def test_a_cell_waits_for_the_process_that_runs_it(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    plan = project.plan()
    folder = project.results / work_folder(plan.cells[WITH], {})
    folder.mkdir(parents=True)
    lock = FolderLock(folder)
    assert lock.acquire()
    waiting = threading.Thread(target=project.run, args=(WITH,))
    waiting.start()
    said = ""

    def is_said() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return "waiting" in said

    wait_until(is_said)
    assert project.calls == [] and waiting.is_alive()
    lock.release()
    waiting.join(20)
    assert [name for name, _ in project.calls] == [WITH]


# a bundle that says something, and ends as it is told
_PROGRAM = """
import json, os, runpy, signal, sys, time
from pathlib import Path
from experiments.__main__ import main

def module(name, **_):
    assert name == "monai.bundle" and sys.argv[:3] == ["monai.bundle", "run", "training"]
    print("it begins", flush=True)
    {behavior}

runpy.run_module = module
os.chdir({folder!r})
sys.exit(main(["cell", {name!r}, {fingerprint!r}, "--results", {results!r}]))
"""


@pytest.mark.parametrize(
    ("behavior", "status", "said", "logged"),
    [
        ('print("error: no data", file=sys.stderr); print("bye"); sys.exit(1)', 1, "failed: error: no data", "bye"),
        ('sys.exit("error: two\\\\nlines")', 1, "failed: error: two", "lines"),
        ('raise RuntimeError("Failed to evaluate") from ValueError("x")', 1, "failed: ValueError: x", "Traceback"),
        ("raise KeyboardInterrupt", 130, "stopped", "it begins"),
        ("os.system('echo from a child')", 1, "ended", "from a child"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "started", "it begins"),
    ],
)
def test_the_end_of_a_bundle_is_that_of_its_cell(
    project: Project, interpreter: Interpreter, behavior: str, status: int, said: str, logged: str
) -> None:
    cell = project.plan().cells[WITH]
    places = {"folder": str(project.folder), "results": str(project.results)}
    program = interpreter.start(
        _PROGRAM.format(behavior=behavior, name=cell.name, fingerprint=cell.fingerprint, **places)
    )
    assert program.wait() == status
    assert f"{WITH}: {said}" in program.output and "it begins" not in program.output
    log = (project.results / "cells" / WITH / "log.txt").read_text()
    assert log.startswith("$ python -m monai.bundle run training --config_file ") and logged in log
    # nothing holds the folder any more
    assert project.run(WITH) == [0]


def test_each_cell_takes_gpus_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: dict[str, FolderLock] = {}

    class Noting(FolderLock):
        def acquire(self, *arguments: object, **options: object) -> bool:
            taken = super().acquire(*arguments, **options)  # type: ignore[arg-type]
            if taken:
                made[self.gpu] = self
            return taken

    def lock(folder: Path) -> Noting:
        own = Noting(folder)
        own.gpu = folder.name  # type: ignore[attr-defined]
        return own

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(gpus, "_folder", lambda gpu: _made(tmp_path / gpu))
    monkeypatch.setattr(gpus, "FolderLock", lock)

    def take(count: int) -> str:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")
        gpus.take_gpus(count)
        return os.environ["CUDA_VISIBLE_DEVICES"]

    assert (take(1), take(2)) == ("4", "5,7")
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        made["4"].release()

    monkeypatch.setattr(time, "sleep", sleep)
    assert take(1) == "4" and len(sleeps) == 1
    with pytest.raises(InputError):
        take(4)
    assert take(3) == "4,5,7"
    for each in made.values():
        each.release()


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
