# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from pipeline.comparison import __main__ as command_line
from pipeline.comparison import environments, report
from pipeline.comparison.bundle_command import bundle_command
from pipeline.comparison.cell_folder import CellFolder, Status
from pipeline.comparison.cells import make_cells
from pipeline.comparison.data_list import DataList
from pipeline.comparison.environments import cell_environments
from pipeline.comparison.matrix import read_matrix
from pipeline.comparison.open_folders import open_folders
from pipeline.comparison.parent_run import open_parent_run
from pipeline.comparison.runner import Runner, Task
from pipeline.tracking.folder_lock import FolderLock
from pipeline.utils import InputError
from tests.interpreter import wait_until

from .conftest import CELLS, FAKE_BUNDLE, FakeParent, Project, write_data

WITH, WITHOUT, FROZEN, TUNED, READING, TRANSFER = CELLS
Misbehave = Callable[[dict[str, str]], None]


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of rows of the reports that are made."""
    made: list[int] = []
    monkeypatch.setattr(report, "write_report", lambda table, *_: [made.append(len(table))][:0])
    return made


def test_a_matrix_is_run_once_and_each_cell_gets_what_it_needs(
    project: Project, parent: FakeParent, reports: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run() == 0
    assert project.called() == CELLS
    assert reports == [6 * len(CELLS)]
    assert parent.statuses == ["FINISHED"]

    calls = {call["name"]: call["argv"] for call in project.calls()}
    options = {name: dict(zip(argv[2::2], argv[3::2], strict=True)) for name, argv in calls.items()}
    cells = project.results / "cells"
    assert calls[WITH][:2] == ["run", "training"] and calls[READING][:2] == ["run", "evaluating"]
    assert options[TUNED] == {
        "--config_file": str([f"{project.folder}/bundle/{name}.json" for name in ("train", "ablation/fine_tuned")]),
        "--max_epochs": "3",
        "--nlce": "True",
        "--seed": "0",
        "--dataset_dir": str(project.folder / "data"),
        "--output_dir": str(cells / TUNED / "runs"),
        "--ckpt_dir": str(cells / TUNED / "models"),
        "--initial_weights": str(cells / FROZEN / "models" / "model.pt"),
        "--experiment_name": "toy",
        "--tracking_uri": "sqlite:///somewhere.db",
        "--parent_run": "'1e23'",  # text, where Fire would read a number
    }
    assert options[TRANSFER]["--ckpt_path"] == str(cells / WITH / "models" / "model.pt")
    assert options[TRANSFER]["--surrogate_weights"] == str(cells / WITHOUT / "models" / "model.pt")
    record = json.loads((cells / TUNED / "cell.json").read_text())
    assert record["labels"]["stage"] == "fine_tuned" and record["exit_status"] == 0
    assert record["data_description"] == "2 lungs"
    weights = cells / FROZEN / "models" / "model.pt"
    assert record["needs"] == {"initial_weights": hashlib.sha256(weights.read_bytes()).hexdigest()}
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"0:00:00  started     {WITH}", lines[1]]
    assert lines[1].partition(" after ")[0].endswith(f"finished    {WITH}") and "5 of 6 cells left" in lines[1]

    assert project.run() == 0
    assert len(project.calls()) == len(CELLS)
    assert reports == [6 * len(CELLS)] * 2
    assert "All 6 cells are finished already." in capsys.readouterr().out


def test_a_failed_cell_stops_only_those_that_need_it_and_is_tried_again(
    project: Project,
    parent: FakeParent,
    reports: list[int],
    misbehave: Misbehave,
    capsys: pytest.CaptureFixture[str],
) -> None:
    misbehave({FROZEN: "fail", READING: "silent"})
    assert project.run() == 1
    assert project.called() == [WITH, WITHOUT, FROZEN, READING, TRANSFER]
    assert parent.statuses == ["FAILED"] and not reports
    lines = capsys.readouterr().out.splitlines()
    cells = project.results / "cells"
    assert lines[-5:] == [
        f"failed      {FROZEN}: see {cells / FROZEN / 'log.txt'}: error: the network is tired",
        f"failed      {READING}: see {cells / READING / 'log.txt'}: no output",
        f"waiting     {TUNED}: it takes the weights of {FROZEN}",
        "3 of 6 cells are finished. Type the same command again to go on.",
        "Tables and figures of what is finished: python -m pipeline.comparison report "
        f"{project.matrix} --results {project.results}",
    ]
    assert any("(exit status 1; " in line and FROZEN in line for line in lines)

    misbehave({})
    assert project.run() == 0
    assert project.called()[5:] == [FROZEN, TUNED, READING]
    log = (cells / FROZEN / "log.txt").read_text()
    assert log.count("\n$ ") + log.startswith("$ ") == 2 and "the network is tired" in log


@pytest.mark.parametrize(
    ("behavior", "sign"),
    [("stop the runner", "SIGTERM"), ("interrupt the runner", "SIGINT"), ("hang up the runner", "SIGHUP")],
)
def test_an_interrupted_runner_stops_its_cells_and_goes_on_next_time(
    project: Project,
    parent: FakeParent,
    reports: list[int],
    misbehave: Misbehave,
    behavior: str,
    sign: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = [signal.getsignal(number) for number in numbers]
    misbehave({WITHOUT: behavior})
    assert project.run() == 3
    assert project.called() == [WITH, WITHOUT]
    assert parent.statuses == ["KILLED"]
    out = capsys.readouterr().out
    assert f"stopping    {WITHOUT}: {sign}\n" in out
    assert f"interrupted {WITHOUT}: see {project.results}/cells/{WITHOUT}/log.txt\n" in out
    assert f"to do       {READING}: not started\n" in out
    assert json.loads((project.results / "cells" / WITHOUT / "cell.json").read_text())["exit_status"] == 143
    assert [signal.getsignal(number) for number in numbers] == before
    misbehave({})
    assert project.run() == 0
    assert project.called()[2:] == [WITHOUT, *CELLS[2:]]


def test_the_time_of_a_call_ends(project: Project, misbehave: Misbehave) -> None:
    misbehave({WITH: "wait"})
    folders = _folders(project)
    tasks = [_task(project, folders[name]) for name in (WITH, WITHOUT)]
    # the cell has come to its first line when the time is up
    runner = Runner(tasks, end=10.0, clock=lambda: 10.0 if project.called() else 9.9)
    assert runner.run() == {WITH: Status.INTERRUPTED, WITHOUT: Status.TO_DO}
    assert project.called() == [WITH]


def test_the_time_of_a_call_begins_before_the_data_is_read(
    project: Project, parent: FakeParent, monkeypatch: pytest.MonkeyPatch
) -> None:
    # reading the data takes a minute and a half
    clock, read = [0.0], command_line.read_data_list

    def read_slowly(folder: Path) -> DataList:
        clock[0] += 90
        return read(folder)

    monkeypatch.setattr(command_line, "read_data_list", read_slowly)
    monkeypatch.setattr(command_line, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(command_line, "Runner", lambda *arguments: Runner(*arguments, clock=lambda: clock[0]))
    assert project.run("--minutes", "1") == 3
    assert not project.calls()
    clock[0] = 0.0
    assert project.run("--minutes", "2", "--only", WITH, "--no-report") == 0


def test_what_has_failed_before_comes_last(
    project: Project, parent: FakeParent, reports: list[int], misbehave: Misbehave
) -> None:
    misbehave({WITH: "fail", WITHOUT: "stop the runner"})
    # work is left beside what has failed
    assert project.run() == 3
    assert project.called() == [WITH, WITHOUT]
    misbehave({})
    assert project.run() == 0
    assert project.called()[2:] == [WITHOUT, FROZEN, TUNED, WITH, READING, TRANSFER]


def test_hanging_up_stays_ignored_under_nohup(project: Project) -> None:
    def hang_up() -> float:
        os.kill(os.getpid(), signal.SIGHUP)
        return 0.0

    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert Runner([_task(project, _folders(project)[WITH])], clock=hang_up).run() == {WITH: Status.FINISHED}
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_the_parent_run_is_closed_whatever_happens_and_stands_for_the_whole_matrix(
    project: Project, parent: FakeParent, reports: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(self: Runner) -> dict[str, Status]:
        raise InputError("it broke")

    with monkeypatch.context() as patch:
        patch.setattr(Runner, "run", break_down)
        assert project.run() == 2
    assert parent.statuses == ["FAILED"]
    assert project.run("--only", WITH) == 0
    assert parent.statuses == ["FAILED", "KILLED"]
    assert project.run() == 0
    assert parent.statuses == ["FAILED", "KILLED", "FINISHED"]


def test_results_of_weights_that_exist_no_longer_are_refused(
    project: Project,
    parent: FakeParent,
    reports: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert project.run() == 0
    cells = project.results / "cells"
    advice = "remove this folder to run the cell again, or give another --results."
    # without the file, or with the same made anew, nothing contradicts
    (cells / WITHOUT / "models" / "model.pt").unlink()
    assert project.run() == 0
    shutil.rmtree(cells / WITHOUT)
    assert project.run() == 0
    assert project.called()[6:] == [WITHOUT]

    monkeypatch.setenv("FAKE_WEIGHTS", "other")
    shutil.rmtree(cells / WITHOUT)
    made = len(reports)
    assert project.run("--no-report") == 2
    error = f"error: {cells / FROZEN} was made with other weights of {WITHOUT}; {advice}\n"
    assert capsys.readouterr().err == error
    # also in a report, and through a cell that is selected alone
    assert command_line.main(["report", str(project.matrix), "--results", str(project.results)]) == 2
    assert capsys.readouterr().err == error
    assert project.run("--only", TUNED, "--no-report") == 2
    assert capsys.readouterr().err == error
    shutil.rmtree(cells / FROZEN)
    # now nothing runs before it is found out
    assert project.run() == 2
    assert capsys.readouterr().err == f"error: {cells / TRANSFER} was made with other weights of {WITHOUT}; {advice}\n"
    shutil.rmtree(cells / TRANSFER)
    assert project.run() == 2
    assert capsys.readouterr().err == f"error: {cells / TUNED} was made with other weights of {FROZEN}; {advice}\n"
    shutil.rmtree(cells / TUNED)
    assert len(reports) == made
    assert project.run() == 0
    assert project.called()[7:] == [WITHOUT, FROZEN, TRANSFER, TUNED]


def test_the_weights_of_an_evaluation_must_be_of_the_same_data(
    project: Project, parent: FakeParent, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run("--only", WITH, "--no-report") == 0
    write_data(project.folder / "data", b"other pixels")
    assert project.run("--only", READING, "--no-report") == 2
    assert capsys.readouterr().err == (
        f"error: {project.results / 'cells' / WITH} was made with other data; remove this folder to run the cell "
        "again, or give another --results.\n"
    )
    assert project.called() == [WITH]


def test_what_mlflow_has_not_got_is_said(
    project: Project, parent: FakeParent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_UNSENT", f"{WITHOUT} {READING}")
    assert project.run("--no-report") == 0
    runs = [project.results / "cells" / WITHOUT / "runs" / "training_1"]
    runs += [project.results / "cells" / READING / "runs" / "evaluating_1"]
    said = "MLflow has not got all of {} finished cells; this sends the rest: python -m pipeline.tracking upload {}\n"
    assert capsys.readouterr().out.endswith(said.format(2, f"{runs[0]} {runs[1]}"))
    # also of cells that have finished before; killed before anything was sent
    (runs[0] / "upload.json").unlink()
    note = json.loads((runs[1] / "upload.json").read_text())
    size = (runs[1] / "journal.jsonl").stat().st_size
    (runs[1] / "upload.json").write_text(json.dumps({**note, "offset": size, "status": "RUNNING"}))
    assert project.run("--no-report") == 0
    assert capsys.readouterr().out.endswith(said.format(2, f"{runs[0]} {runs[1]}"))
    for run in runs:
        (run / "upload.json").write_text(json.dumps({**note, "offset": size}))
    assert project.run("--no-report") == 0
    assert "MLflow" not in capsys.readouterr().out


def test_a_cell_that_does_not_end_is_killed(project: Project, misbehave: Misbehave) -> None:
    misbehave({WITH: "deaf"})
    folder = _folders(project)[WITH]
    outcomes = Runner([_task(project, folder)], grace=0.0).run()
    assert outcomes == {WITH: Status.INTERRUPTED}
    pid = project.calls()[0]["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_cell_that_another_runner_has_finished_since_is_not_run_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = _task(project, _folders(project)[WITH])
    assert Runner([task]).run() == {WITH: Status.FINISHED}
    monkeypatch.setattr(Runner, "_note_finished", lambda _: None)  # it looked before the other had finished
    assert Runner([task]).run() == {WITH: Status.FINISHED}
    assert project.called() == [WITH]


def test_cells_side_by_side_wait_for_their_weights(project: Project, parent: FakeParent, reports: list[int]) -> None:
    assert project.run("--jobs", "4") == 0
    called = project.called()
    assert sorted(called) == sorted(CELLS)  # the fake bundle refuses to run without the weights
    for cell in make_cells(read_matrix(project.matrix)):
        assert all(called.index(need) < called.index(cell.name) for need in cell.needs.values())


def test_selected_cells(
    project: Project, parent: FakeParent, reports: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run("--only", READING) == 2
    assert capsys.readouterr().err == (
        f"error: {READING} takes the weights of {WITH}, which is not finished; run that first, or add --only {WITH}.\n"
    )
    assert project.run("--only", READING, "--only", "*-nlcen_nlce-seed0", "--only", WITHOUT, "--no-report") == 0
    assert project.called() == [WITH, WITHOUT, READING, TRANSFER]
    assert not reports
    assert project.run("--only", "*transfer*") == 0
    assert reports == [6 * 4]
    assert project.run("--only", "lungs-unet-seed0") == 2
    assert capsys.readouterr().err.startswith("error: --only lungs-unet-seed0: matches no cell; near it are: ")


def test_a_dry_run_lists_one_command_for_each_cell(
    project: Project, parent: FakeParent, misbehave: Misbehave, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run("--dry-run") == 0
    assert not project.results.exists()
    command = f"python -m pipeline.comparison run {project.matrix} --results {project.results}"
    status = dict.fromkeys(CELLS, "waiting") | {WITH: "to do", WITHOUT: "to do"}
    assert capsys.readouterr().out.splitlines() == [
        f"{command} --only {name} --no-report  # {status[name]}" for name in CELLS
    ]
    misbehave({FROZEN: "fail", READING: "wait"})
    assert project.run("--only", "lungs-[na]*", "--only", FROZEN) == 1
    lock = FolderLock(project.results / "cells" / WITHOUT)
    assert lock.acquire()
    (project.results / "cells" / WITHOUT / "runs" / "training_1" / "result.json").unlink()
    capsys.readouterr()
    assert project.run("--dry-run", "--data", f"lungs={project.folder}/data", "--only", "*seed0") == 0
    lines = capsys.readouterr().out.splitlines()
    statuses = [line.partition("  # ")[2] for line in lines]
    assert statuses == ["finished", "running", "failed", "waiting", "to do", "waiting"]
    assert f" --data lungs={project.folder}/data --only {WITH} --no-report" in lines[0]


def test_a_cell_of_another_matrix_is_never_mixed_in(
    project: Project, parent: FakeParent, reports: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run() == 0
    folder = project.results / "cells" / WITH
    advice = "remove this folder to run the cell again, or give another --results."
    write_data(project.folder / "data", b"other pixels")
    (project.results / "cells" / READING / "runs" / "evaluating_1" / "result.json").unlink()
    assert project.run() == 2
    assert capsys.readouterr().err == f"error: {folder} was made with other data; {advice}\n"

    write_data(project.folder / "data")
    project.change(settings={"max_epochs": 4})
    for command in (["run"], ["run", "--dry-run"], ["report"]):
        assert (
            command_line.main([command[0], str(project.matrix), "--results", str(project.results), *command[1:]]) == 2
        )
        assert capsys.readouterr().err == (
            f"error: {folder} was made with another configuration or other settings; {advice}\n"
        )
    (folder / "cell.json").write_text("{")
    assert project.run() == 2
    assert capsys.readouterr().err == f"error: {folder}/cell.json is damaged; {advice}\n"
    (folder / "cell.json").unlink()
    assert project.run() == 2
    assert capsys.readouterr().err == f"error: {folder} holds results without cell.json; {advice}\n"
    assert len(project.calls()) == len(CELLS)


def test_a_damaged_record_of_any_cell_is_said_before_anything_starts(
    project: Project, parent: FakeParent, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run("--only", WITH, "--no-report") == 0
    folder = project.results / "cells" / WITH
    (folder / "cell.json").write_text("{")
    (folder / "runs" / "training_1" / "result.json").unlink()
    capsys.readouterr()
    assert project.run("--only", WITHOUT) == 2
    assert capsys.readouterr().err.startswith(f"error: {folder}/cell.json is damaged; ")
    assert project.called() == [WITH]


def test_data_is_looked_for_before_anything_starts(
    project: Project, parent: FakeParent, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.folder / "data" / "datalist.json").unlink()
    assert project.run() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: There is no data list {project.folder}/data/datalist.json.")
    assert "python -m data_prep" in error
    assert not project.calls() and not project.results.exists()


def test_a_place_that_cannot_be_written(
    project: Project, parent: FakeParent, capsys: pytest.CaptureFixture[str]
) -> None:
    project.results.write_text("a file")
    assert project.run() == 2
    assert capsys.readouterr().err == (
        f"error: Cannot write or read {project.results}/cells/{WITH}/cell.json: Not a directory. "
        "Correct this and run the same again.\n"
    )


def test_only_a_held_lock_can_be_handed_on(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        FolderLock(tmp_path).fileno()
    assert str(error.value) == f"The lock {tmp_path}/.lock is not held."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "argument --jobs: '0' must be a whole number from 1 up"),
        (["--minutes", "-1"], "argument --minutes: '-1' must be a number of minutes above 0"),
        (["--minutes", "ten"], "argument --minutes: 'ten' must be a number of minutes above 0"),
        (["--data", "lungs"], "argument --data: 'lungs' must have the form NAME=FOLDER"),
    ],
)
def test_options(project: Project, options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        project.run(*options)
    assert capsys.readouterr().err.endswith(f"error: {message}\n")


def test_cores_and_gpus_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(environments.torch.cuda, "device_count", lambda: 2)
    assert cell_environments(1) == [{"OMP_NUM_THREADS": "8"}]
    assert cell_environments(1, processes=2) == [{"OMP_NUM_THREADS": "4"}]
    assert cell_environments(3) == [{"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": gpu} for gpu in ("0", "1", "0")]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-ab")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cell_environments(2) == [{"CUDA_VISIBLE_DEVICES": "5"}, {"CUDA_VISIBLE_DEVICES": "GPU-ab"}]
    with pytest.raises(InputError) as error:
        cell_environments(1, processes=3)
    assert str(error.value) == "--processes 3: a process needs a GPU of its own, and 2 can be seen here."
    monkeypatch.setattr(environments.torch.cuda, "device_count", lambda: 1)
    assert cell_environments(2) == [{}, {}]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(environments.torch.cuda, "device_count", lambda: 5)
    assert [each["CUDA_VISIBLE_DEVICES"] for each in cell_environments(3, processes=2)] == ["0,1", "2,3", "0,1"]


def test_the_parent_run_is_made_once_for_each_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "lungs"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/one.db")
    first = open_parent_run(results, "paper", "The **matrix**.")
    first.close("KILLED")
    again = open_parent_run(results, "paper", "The **matrix**.")
    assert again.run_id == first.run_id
    client = MlflowClient(f"sqlite:///{tmp_path}/one.db")
    run = client.get_run(first.run_id)
    assert (run.info.run_name, run.info.status) == ("lungs", "RUNNING")
    assert run.data.tags["mlflow.note.content"] == "The **matrix**."
    assert client.get_experiment(run.info.experiment_id).name == "paper"
    again.close("FINISHED")
    assert client.get_run(first.run_id).info.status == "FINISHED"

    other = open_parent_run(results, "phantoms", "")
    assert other.run_id != first.run_id
    assert json.loads((results / "parent.json").read_text()) == {
        "tracking_uri": first.tracking_uri,
        "experiment": "phantoms",
        "run_id": other.run_id,
    }
    (results / "parent.json").write_text("[]")
    with pytest.raises(InputError) as error:
        open_parent_run(results, "paper", "")
    assert str(error.value) == (
        f"{results}/parent.json is damaged; remove it, and the next run makes a new parent run in MLflow."
    )


def _folders(project: Project) -> dict[str, CellFolder]:
    return open_folders(read_matrix(project.matrix), project.results)


def _task(project: Project, folder: CellFolder) -> Task:
    locations = {"output_dir": folder.runs, "ckpt_dir": folder.models}
    return Task(folder, bundle_command(folder.cell, locations, FAKE_BUNDLE), DataList("f00", ""))


def _run_two_cells(environment: dict[str, str], project: Project) -> None:
    """A runner in a process of its own."""
    os.environ.update(environment)
    folders = _folders(project)
    outcomes = Runner([_task(project, folders[name]) for name in (WITH, WITHOUT)]).run()
    (project.folder / f"outcomes-{os.getpid()}.json").write_text(json.dumps(outcomes))


@pytest.mark.slow
def test_two_runners_share_the_work_and_a_cell_outlives_its_killed_runner(
    project: Project, misbehave: Misbehave
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    misbehave({WITH: "wait"})
    environment = {key: os.environ[key] for key in ("FAKE_BUNDLE", "FAKE_CALLS")}
    first, second, third = (context.Process(target=_run_two_cells, args=(environment, project)) for _ in range(3))
    first.start()
    wait_until(lambda: project.called() == [WITH])
    # the second leaves the first cell to the first runner and takes the other
    second.start()
    second.join(60)
    assert second.exitcode == 0
    outcomes = json.loads((project.folder / f"outcomes-{second.pid}.json").read_text())
    assert outcomes == {WITH: Status.RUNNING, WITHOUT: Status.FINISHED}
    assert project.called() == [WITH, WITHOUT]

    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.join(60)
    third.start()
    third.join(60)
    outcomes = json.loads((project.folder / f"outcomes-{third.pid}.json").read_text())
    assert outcomes == {WITH: Status.RUNNING, WITHOUT: Status.FINISHED}

    os.kill(project.calls()[0]["pid"], signal.SIGKILL)
    folder = _folders(project)[WITH]
    wait_until(lambda: folder.status() != Status.RUNNING)
    assert folder.status() == Status.INTERRUPTED
    misbehave({})
    assert Runner([_task(project, folder)]).run() == {WITH: Status.FINISHED}
    assert project.called() == [WITH, WITHOUT, WITH]


def test_the_last_error_of_a_log(project: Project) -> None:
    folder = _folders(project)[WITH]
    folder.path.mkdir(parents=True)
    for text, line in {
        "$ a\nerror: old\n\n$ b\nValueError: bad\nbar 1\rbar 2\n": "ValueError: bad",
        "$ a\nan Error: no\nkilled": "killed",
        "$ a\nmonai.X.SomeError: this\n\nRuntimeError: Failed to evaluate\n": "monai.X.SomeError: this",
        "$ a\nRuntimeError: Failed to evaluate\nbye\n": "RuntimeError: Failed to evaluate",
        "$ a\n": "no output",
    }.items():
        folder.log.write_text(text)
        assert folder.last_error() == line
    with open(folder.log, "w") as file:
        file.write("$ a\n" + "x" * 100_000 + "\nerror: long ago\n")
    assert folder.last_error() == "error: long ago"
