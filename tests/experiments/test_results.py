# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from experiments import report, results
from experiments.__main__ import main

from .conftest import CELLS, Project

WITH, WITHOUT, FROZEN, TUNED, READING, TRANSFER = CELLS


MakeReport = Callable[[], tuple[int, str, str]]


@pytest.fixture
def finished(project: Project) -> Project:
    """All cells finished, no report yet."""
    project.plan()
    assert project.run() == [0] * len(CELLS)
    return project


def _change(file: Path, **values: object) -> None:
    content = {**json.loads(file.read_text()), **values}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_the_table(finished: Project, make_report: MakeReport) -> None:
    assert make_report()[0] == 0
    table = pd.read_parquet(finished.results / "results.parquet")
    assert list(table.columns) == results.COLUMNS
    assert len(table) == len(CELLS) * 2 * 3
    row = table[(table["cell"] == TUNED) & (table["epsilon"] == 32.0) & (table["image"] == "NA")]
    assert row.to_dict("records") == [
        {
            "data": "lungs",
            "network": "nlcen",
            "nlce": True,
            "stage": "fine_tuned",
            "variant": "",
            "reading": "",
            "seed": 0,
            "title": "a title",
            "epsilon": 32.0,
            "image": "NA",
            "DIC": 0.75,
            "JSC": 0.5 + len(TUNED) / 1000,
            "iterations": 36,
            "commit": "abc123",
            "data_fingerprint": "f00",
            "cell": TUNED,
        }
    ]
    assert set(table["image"]) == {"001", "NA"}
    assert dict(zip(table["epsilon"], table["iterations"], strict=True)) == {0.0: 0, 0.5: 1, 32.0: 36}
    assert set(table.loc[table["cell"] == READING, "reading"]) == {"twelve_bit"}
    assert not table.loc[table["cell"] == WITHOUT, "nlce"].any()
    text = pd.read_csv(finished.results / "results.csv", dtype={"image": str}, keep_default_na=False)
    pd.testing.assert_frame_equal(text, table, check_dtype=False)

    costs = pd.read_csv(finished.results / "costs.csv").set_index("cell")
    assert list(costs.index) == CELLS
    assert costs.loc[WITH, "training_seconds"] == 2.5 and pd.isna(costs.loc[READING, "training_seconds"])
    assert costs.loc[READING, ["parameters", "gradients_per_image", "device", "commit"]].tolist() == [
        12,
        69,
        "a processor",
        "abc123",
    ]


@pytest.mark.parametrize("name", ["results.csv", "results.parquet"])
def test_everything_is_made_again_from_the_table_alone(
    finished: Project,
    make_report: MakeReport,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr(report, "write_report", lambda *arguments: given.append(arguments) or [])
    assert make_report()[0] == 0
    shutil.rmtree(finished.results / "cells")
    assert main(["draw", str(finished.results / name), "--results", str(tmp_path / "again")]) == 0
    (table, costs, *_), again = given
    pd.testing.assert_frame_equal(again[0], table, check_dtype=False)
    pd.testing.assert_frame_equal(again[1], costs, check_dtype=False)
    assert again[2:] == (tmp_path / "again",)


def test_a_table_that_is_none(finished: Project, make_report: MakeReport, capsys: pytest.CaptureFixture[str]) -> None:
    make_report()
    file, costs = finished.results / "results.csv", finished.results / "costs.csv"

    def draw(path: Path) -> str:
        assert main(["draw", str(path), "--results", str(finished.results)]) == 2
        return capsys.readouterr().err

    name = "name results.csv or results.parquet of a report, beside its costs.csv."
    assert draw(file.with_name("no.csv")) == f"error: There is no {file.with_name('no.csv')}; {name}\n"
    assert draw(costs) == f"error: {costs} has no column 'title'; name a table that a report has written.\n"
    table = pd.read_csv(file)
    for number, score in enumerate((float("nan"), 1.5)):
        changed = file.with_name(f"{number}.csv")
        table.assign(DIC=[score, *table["DIC"][1:]]).to_csv(changed, index=False)
        assert draw(changed) == (
            f"error: {changed} has a DIC that is not between 0 and 1; name a table that a report has written.\n"
        )
    broken = file.with_name("a.parquet")
    broken.write_text("no parquet")
    assert draw(broken).startswith(f"error: {broken} or {costs} cannot be read")
    costs.unlink()
    assert draw(file) == f"error: There is no {costs}; {name}\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table, costs: (table, costs[costs["cell"] != TUNED]), "costs.csv has not one row for each cell of"),
        (lambda table, costs: (table, pd.concat([costs, costs[:1]])), "costs.csv has not one row for each cell of"),
        (lambda table, costs: (table, costs.drop(columns="data")), "costs.csv has no column 'data'"),
        (lambda table, costs: (table, costs.assign(parameters="many")), "costs.csv: the column 'parameters' has"),
        (lambda table, costs: (table[:0], costs), "results.parquet has no rows"),
        # as pandas gives it that reads results.csv as it reads others
        (lambda table, costs: (table.replace("", None), costs), "the column 'stage' has missing values"),
        (
            lambda table, costs: (table.replace({"epsilon": {32.0: None}}), costs),
            "the column 'epsilon' has missing values",
        ),
        (
            lambda table, costs: (table[(table["cell"] != TUNED) | (table["image"] != "NA")], costs),
            f"the cells {WITH} and {TUNED} have results on different images; leave one out.",
        ),
        (
            lambda table, costs: (table.assign(data_fingerprint=table["cell"].eq(TUNED).astype(str)), costs),
            f"the cells {WITH} and {TUNED} have results on different data; leave one out.",
        ),
    ],
)
def test_a_table_from_which_a_report_would_come_out_wrong(
    finished: Project,
    make_report: MakeReport,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]],
    said: str,
) -> None:
    make_report()
    file, costs_file = finished.results / "results.parquet", finished.results / "costs.csv"
    table, costs = change(pd.read_parquet(file), pd.read_csv(costs_file))
    table.to_parquet(file)
    costs.to_csv(costs_file)
    assert main(["draw", str(file), "--results", str(finished.results)]) == 2
    assert said in capsys.readouterr().err


def test_the_report_is_of_what_is_finished(
    finished: Project, make_report: MakeReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    monkeypatch.setattr(report, "write_report", lambda *arguments: given.extend(arguments) or [Path("a.png")])
    (finished.results / finished.plan().cells[TRANSFER].finished).unlink()
    status, out, _ = make_report()
    assert (status, out) == (0, "a.png\n1 of 6 cells are not finished and therefore not in it.\n")
    table, costs, folder, runs = given
    assert isinstance(table, pd.DataFrame) and isinstance(costs, pd.DataFrame)
    assert set(table["cell"]) == set(costs["cell"]) == set(CELLS[:-1])
    assert folder == finished.results and set(costs["data_description"]) == {"2 lungs"}
    assert runs == {name: finished.run_folder(name) for name in CELLS[:-1]}


def test_cells_of_several_commits_are_said_and_marked(finished: Project, make_report: MakeReport) -> None:
    _change(finished.run_folder(WITHOUT) / "result.json", commit="def456", dirty=True)
    file = finished.run_folder(FROZEN) / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "commit": None}))
    assert make_report()[0] == 0
    table = pd.read_parquet(finished.results / "results.parquet")
    assert set(table.loc[table["cell"] == WITHOUT, "commit"]) == {"def456+dirty"}
    said = results.describe_commits(table)
    assert all(part in said for part in ("abc123 (4 of 6 cells)", "def456+dirty (1 of 6", "unknown (1 of 6 cells)"))


@pytest.mark.parametrize(("commit", "is_said"), [("abc", False), ("abc and def", True), ("unknown", True)])
def test_cells_of_one_commit_or_of_two_in_one(commit: str, is_said: bool) -> None:
    said = results.describe_commits(pd.DataFrame({"commit": [commit], "cell": ["a"]}))
    assert (f"{commit} (1 of 1 cells)" in said) == is_said


HEAD = "image,epsilon,DIC,JSC\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read (No columns to parse from file)"),
        ("image,epsilon,DIC\na,0.0,0.5\n", "has no column 'JSC'"),
        (HEAD, "does not have one row for each image and ε"),
        (f"{HEAD}001,0.0,0.5,0.5\n001,0.5,0.5,0.5\nNA,0.0,0.5,0.5\n", "does not have one row for each image and ε"),
        (f"{HEAD}001,0.0,0.5,0.5\n001,0.0,0.5,0.5\n", "does not have one row for each image and ε"),
        (f"{HEAD}001,0.0,0.5,\n", "cannot be read (could not convert string to float: '')"),
        (f"{HEAD}001,0.0,nan,0.5\n", "has a DIC that is not between 0 and 1"),
        (f"{HEAD}001,0.0,0.5,1.5\n", "has a JSC that is not between 0 and 1"),
    ],
)
def test_a_damaged_table_of_a_cell(finished: Project, make_report: MakeReport, text: str, problem: str) -> None:
    file = finished.run_folder(WITHOUT) / "per_image.csv"
    file.write_text(text)
    status, _, error = make_report()
    folder = finished.results / "cells" / WITHOUT
    assert (status, error) == (
        2,
        f"error: {file} {problem}: it is damaged; remove the folder {folder} and run again.\n",
    )
    assert not (finished.results / "results.csv").exists()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"iterations": None}, "lacks 'iterations'"),
        ({"iterations": {"0.5": 1}}, "has no number of iterations for ε = 32"),
        ({"iterations": {"half": 1}}, "cannot be read (could not convert string to float: 'half')"),
        ({"iterations": [1]}, "cannot be read ('list' object has no attribute 'items')"),
    ],
)
def test_a_damaged_result_of_a_cell(
    finished: Project, make_report: MakeReport, values: dict[str, object], problem: str
) -> None:
    file = finished.run_folder(READING) / "result.json"
    _change(file, **values)
    folder = finished.results / "cells" / READING
    status, _, error = make_report()
    assert (status, error) == (
        2,
        f"error: {file} {problem}: it is damaged; remove the folder {folder} and run again.\n",
    )
    file.write_text(file.read_text()[:40])
    status, _, error = make_report()
    assert status == 2 and error.startswith(f"error: {file} cannot be read (Unterminated string")


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [("NA", "003", "images"), ("0.5", "0.25", "intensities"), ("f00", "f01", "data")],
)
def test_cells_of_a_data_set_must_be_about_the_same(
    finished: Project, make_report: MakeReport, old: str, new: str, difference: str
) -> None:
    run = finished.run_folder(WITH)
    for file in (run / "per_image.csv", run / "result.json"):
        file.write_text(file.read_text().replace(old, new))
    status, _, error = make_report()
    other = finished.run_folder(WITHOUT)
    assert status == 2 and error.startswith(f"error: {run} and {other} have results on different {difference}; ")


def test_the_report_of_a_battery_at_fewer_intensities_than_the_papers_attack(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.send_report.send_report", lambda *_: None)
    networks = ["nlcen_nlce", "nlcen", "unet_nlce", "unet"]
    claim = {"data": ["lungs"], "networks": networks, "readings": ["worst_case"], "epsilons": [0.5]}
    project.change(networks=["nlcen", "unet"], ablation=None, claim=claim, settings={"epsilons": [0.5, 32.0]})
    project.plan()
    assert project.run() == [0] * 8
    assert main(["report", "--results", str(project.results)]) == 0
    table = pd.read_csv(project.results / "results.csv", keep_default_na=False)
    assert {reading: sorted(set(rows["epsilon"])) for reading, rows in table.groupby("reading")} == {
        "": [0.0, 0.5, 32.0],
        "worst_case": [0.0, 0.5],
    }
    page = (project.results / "summary.md").read_text()
    # all these networks have one title
    assert "| a title (unet_nlce), worst case of the battery | 0.750 | 0.750 | – | – | 0.750 | 1 |" in page
    assert "| a title (unet) | 0.750 | 0.750 | 0.750 | 0.000 | 0.750 | 1 |" in page


@pytest.mark.parametrize(("name", "is_refused"), [(WITHOUT, True), (READING, False)])
def test_intensities_are_those_of_the_reading(
    finished: Project, make_report: MakeReport, name: str, is_refused: bool
) -> None:
    run = finished.run_folder(name)
    for file in (run / "per_image.csv", run / "result.json"):
        file.write_text(file.read_text().replace("0.5", "0.25"))
    assert (make_report()[0] == 2) == is_refused


def test_no_results(project: Project, make_report: MakeReport) -> None:
    assert make_report()[2].startswith(f"error: {project.results / 'plan.json'} cannot be read")
    project.plan()
    assert make_report()[2] == f"error: No cell in {project.results} is finished; run some with the Snakefile.\n"
