# SPDX-License-Identifier: Apache-2.0
"""The Snakefile, run by Snakemake, with cells that answer at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from experiments.matrix import ROOT
from tests.interpreter import wait_until

from .conftest import CELLS, Project

SNAKEMAKE = ROOT / ".venv" / "snakemake" / "bin" / "snakemake"
pytestmark = pytest.mark.skipif(not SNAKEMAKE.exists(), reason="needs .venv/snakemake, which `make test` makes")

# stands for the project's interpreter: cells do what a file named after them says, and note who they are
_PYTHON = """#!{python} -S
import json, os, sys, time
from pathlib import Path

command, *options = sys.argv[3:]
results = Path(options[options.index("--results") + 1])
if command == "report":
    (results / "summary.md").write_text("finished")
if command == "cell":
    name = options[0]
    with open({calls!r}, "a") as calls:
        calls.write(json.dumps([name, os.getpid(), os.environ["OMP_NUM_THREADS"]]) + "\\n")
    behavior = Path({folder!r}, name)
    if behavior.exists():
        exec(behavior.read_text())
    cell = next(cell for cell in json.loads((results / "plan.json").read_text())["cells"] if cell["name"] == name)
    (results / "cells" / name / (cell["fingerprint"] + ".json")).write_text("{{}}")
"""


class Workflow:
    """A project whose matrix Snakemake runs."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._calls = project.folder / "calls.jsonl"
        self._python = project.folder / "python"
        self._python.write_text(
            _PYTHON.format(python=sys.executable, calls=str(self._calls), folder=str(project.folder))
        )
        self._python.chmod(0o755)
        self.output = project.folder / "output.txt"
        self._seen = 0

    def start(self) -> subprocess.Popen[bytes]:
        """Type the command; the plan is made here, by an interpreter that has all modules."""
        self.project.plan()
        command = [SNAKEMAKE, "--snakefile", ROOT / "experiments" / "Snakefile", "--directory", self.project.results]
        command += ["--profile", ROOT / "experiments" / "profiles" / "local", "--cores", "2"]
        command += ["--config", f"matrix={self.project.matrix}", f"python={self._python}"]
        with open(self.output, "ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def run(self) -> int:
        return self.start().wait(60)

    def behave(self, name: str, program: str) -> None:
        (self.project.folder / name).write_text(program)

    def calls(self) -> list[str]:
        """The cells that have started since the last call of this."""
        new = self._all()[self._seen :]
        self._seen += len(new)
        return new

    def wait_for(self, name: str) -> None:
        """Wait until a cell has started."""
        wait_until(lambda: name in self._all()[self._seen :])

    def _all(self) -> list[str]:
        text = self._calls.read_text() if self._calls.exists() else ""
        return [json.loads(line)[0] for line in text.splitlines()]


@pytest.fixture
def workflow(project: Project) -> Workflow:
    return Workflow(project)


def test_cells_run_once_after_those_that_they_need(workflow: Workflow) -> None:
    assert workflow.run() == 0
    started = workflow.calls()
    assert sorted(started) == sorted(CELLS)
    place = {name: started.index(name) for name in CELLS}
    assert place[CELLS[1]] < place[CELLS[2]] < place[CELLS[3]] and place[CELLS[0]] < place[CELLS[4]]
    assert (workflow.project.results / "summary.md").read_text() == "finished"
    assert workflow.run() == 0 and workflow.calls() == []
    # another setting concerns all, another stage itself and what starts from it
    workflow.project.change(settings={"max_epochs": 4})
    assert workflow.run() == 0 and len(workflow.calls()) == 6
    (workflow.project.folder / "bundle" / "ablation" / "frozen.json").write_text('{"learning_rate": 1}')
    assert workflow.run() == 0 and workflow.calls() == [CELLS[2], CELLS[3]]


@pytest.mark.slow
def test_a_failed_cell_stops_only_those_that_need_it(workflow: Workflow) -> None:
    workflow.behave(CELLS[1], "sys.exit('error: tired')")
    assert workflow.run() == 1
    assert sorted(workflow.calls()) == sorted([CELLS[0], CELLS[1], CELLS[4]])
    assert "error: tired" in workflow.output.read_text()
    assert not (workflow.project.results / "summary.md").exists()
    workflow.behave(CELLS[1], "")
    assert workflow.run() == 0
    assert sorted(workflow.calls()) == sorted([CELLS[1], CELLS[2], CELLS[3], CELLS[5]])


@pytest.mark.slow
def test_a_killed_snakemake_goes_on_with_the_same_command(workflow: Workflow) -> None:
    workflow.behave(CELLS[0], "time.sleep(100)")
    snakemake = workflow.start()
    workflow.wait_for(CELLS[0])
    snakemake.kill()
    snakemake.wait()
    os.killpg(snakemake.pid, signal.SIGKILL)
    workflow.behave(CELLS[0], "")
    workflow.calls()
    assert workflow.run() == 0
    assert CELLS[0] in workflow.calls() and (workflow.project.results / "summary.md").exists()


@pytest.mark.slow
def test_the_end_of_the_time_reaches_the_cells(workflow: Workflow) -> None:
    saved = workflow.project.folder / "saved"
    program = f"""
import signal
signal.signal(signal.SIGTERM, lambda *_: (Path({str(saved)!r}).write_text("yes"), sys.exit(143)))
time.sleep(100)
"""
    workflow.behave(CELLS[0], program)
    snakemake = workflow.start()
    workflow.wait_for(CELLS[0])
    time.sleep(0.5)  # for its handler
    os.killpg(snakemake.pid, signal.SIGTERM)  # as `timeout` does
    assert snakemake.wait(60) != 0 and saved.read_text() == "yes"
    workflow.behave(CELLS[0], "")
    assert workflow.run() == 0
