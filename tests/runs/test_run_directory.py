# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from pipeline.runs import FolderLock, is_live, lock_run, open_run, run_directory
from pipeline.utils import InputError
from tests.interpreter import Interpreter, wait_until


def record(path: Path) -> dict[str, object]:
    return dict(json.loads((path / "run.json").read_text()))


def test_a_new_run_has_a_folder_and_a_record(tmp_path: Path) -> None:
    run = open_run(tmp_path / "eval", "training", {"lr": 1})
    assert re.fullmatch(r"training_\d{8}-\d{6}-[0-9a-f]{6}", run.name)
    assert run.path == tmp_path / "eval" / run.name
    assert not run.resumed
    assert record(run.path) == run.record
    assert (run.record["name"], run.record["kind"], run.record["status"]) == (run.name, "training", "RUNNING")


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED"])
def test_an_unfinished_run_of_the_same_configuration_is_resumed(tmp_path: Path, status: str) -> None:
    first = open_run(tmp_path, "training", {"lr": 1, "num_workers": 0})
    first.update(status=status)
    first.release()
    second = open_run(tmp_path, "training", {"num_workers": 4, "lr": 1})
    assert second.resumed
    assert second.path == first.path
    assert record(second.path)["status"] == "RUNNING"


def test_a_run_says_with_which_code_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for commit in ("a", "b", "b", "a"):
        monkeypatch.setattr(run_directory, "describe_code", lambda commit=commit: {"commit": commit, "dirty": False})
        run = open_run(tmp_path, "training", {"lr": 1})
        run.release()
    assert record(run.path)["code"] == [{"commit": "a", "dirty": False}, {"commit": "b", "dirty": False}]


@pytest.mark.parametrize(
    ("kind", "config", "status"),
    [("training", {"lr": 1}, "FINISHED"), ("evaluating", {"lr": 1}, "KILLED"), ("training", {"lr": 2}, "KILLED")],
)
def test_other_runs_are_left_untouched(tmp_path: Path, kind: str, config: dict[str, int], status: str) -> None:
    first = open_run(tmp_path, "training", {"lr": 1})
    first.update(status=status)
    first.release()
    before = (first.path / "run.json").read_bytes()
    second = open_run(tmp_path, kind, config)
    assert not second.resumed
    assert second.path != first.path
    assert (first.path / "run.json").read_bytes() == before


def test_the_newest_run_of_the_configuration_decides(tmp_path: Path) -> None:
    for status in ("KILLED", "FINISHED"):
        run = open_run(tmp_path, "training", {"lr": 1})
        run.update(status=status)
        run.release()
        if status == "KILLED":  # otherwise the second would resume it
            run.update(kind="set aside")
            aside = run
    aside.update(kind="training")
    assert not open_run(tmp_path, "training", {"lr": 1}).resumed


def test_another_configuration_in_between_does_not_matter(tmp_path: Path) -> None:
    first = open_run(tmp_path, "training", {"lr": 1})
    first.release()
    open_run(tmp_path, "training", {"lr": 2}).release()
    assert open_run(tmp_path, "training", {"lr": 1}).path == first.path


def test_a_live_run_is_never_taken_and_a_killed_one_is(tmp_path: Path, interpreter: Interpreter) -> None:
    program = interpreter.start(
        f"""
import time
from pipeline.runs import open_run
print(open_run({str(tmp_path)!r}, "training", {{"lr": 1}}).path, flush=True)
time.sleep(60)
"""
    )
    wait_until(lambda: program.output.strip())
    mine = open_run(tmp_path, "training", {"lr": 1})
    assert str(mine.path) != program.output.strip()
    mine.update(status="FINISHED", started="2000")
    mine.release()
    program.kill()
    program.wait()
    resumed = open_run(tmp_path, "training", {"lr": 1})
    assert resumed.resumed and str(resumed.path) == program.output.strip()


def test_a_foreign_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    file = tmp_path / "other" / "run.json"
    for text in ("{}", "[1]", "no json"):
        file.write_text(text)
        with pytest.raises(InputError) as error:
            open_run(tmp_path, "training", {})
        assert str(error.value) == (f"{file}: is not the record of a run. Remove this file or give another output_dir.")


def test_a_damaged_record_leaves_no_lock(tmp_path: Path) -> None:
    run = open_run(tmp_path, "training", {})
    run.release()
    (run.path / "run.json").write_text("")
    with pytest.raises(InputError):
        lock_run(run.path)
    assert FolderLock(run.path).acquire()


def test_looking_whether_a_run_lives_takes_it_from_nobody(tmp_path: Path) -> None:
    run = open_run(tmp_path, "training", {})
    assert is_live(run.path)
    run.release()
    assert not is_live(run.path)
    # one that starts in the very moment in which another looks
    looking = FolderLock(run.path)
    looking.acquire()
    timer = threading.Timer(0.2, looking.release)
    timer.start()
    resumed = open_run(tmp_path, "training", {})
    timer.join()
    assert resumed.resumed and resumed.path == run.path


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        open_run(tmp_path / "file" / "eval", "training", {})
    assert str(error.value) == (
        f"{tmp_path}/file/eval: cannot be written (Not a directory). Give another output_dir or make room there."
    )


def test_only_rank_0_opens_and_all_ranks_learn_the_folder(tmp_path: Path, interpreter: Interpreter) -> None:
    program = """
import torch.distributed as dist
from pipeline.runs import open_run
dist.init_process_group("gloo", init_method="file://{folder}/rendezvous", rank={rank}, world_size=2)
run = open_run("{folder}/eval", "training", {{}})
print(run.path, run.resumed)
dist.barrier()
dist.destroy_process_group()
"""
    ranks = [interpreter.start(program.format(folder=tmp_path, rank=rank)) for rank in range(2)]
    assert [rank.wait() for rank in ranks] == [0, 0]
    (path,) = (tmp_path / "eval").iterdir()
    assert [rank.output.splitlines()[-1] for rank in ranks] == [f"{path} False"] * 2
