# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.leaderboard import add_entry, make_leaderboard, read_entries, why_not_ranked
from pipeline.utils import InputError
from tests.robustness.report.assessments import report_of

DOCS = Path(__file__).parents[2] / "docs"
TRAINING = "100 epochs of soft Dice."


PASSED = [{"name": f"check {number}", "status": "passed", "value": None, "meaning": "It is."} for number in range(8)]


def write_report(folder: Path, worst: float = 0.9, facts: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A report that keeps all rules, but for the changes."""
    report = report_of("undefended") | {"budget": "standard", "images": 16, "epsilons": [8.0, 16.0, 32.0]}
    for key in ("worst_case", "floor", "ceiling"):
        report[key] = dict.fromkeys(("8", "16", "32"), report[key]["8"])
    report["worst_case"]["8"] = report["worst_case"]["8"] | {"DIC": worst, "low": worst - 0.01, "high": worst + 0.01}
    report["facts"] |= {"parameters": 11_250_000, "seconds": 61.4, "network_sha256": "ef" * 32} | (facts or {})
    report["checks"] = PASSED
    report |= changes
    image = {
        "clean": report["clean"]["DIC"],
        "worst_case": {epsilon: worst["DIC"] for epsilon, worst in report["worst_case"].items()},
        "found_by": dict.fromkeys(report["worst_case"], "dice"),
        "floor": report["floor"]["8"],
    }
    report["per_image"] = [{"image": f"image_{number}", **image} for number in range(report["images"])]
    path = folder / "report.json"
    path.write_text(json.dumps(report))
    return path


def test_networks_are_ranked_by_their_worst_case_within_their_data(tmp_path: Path) -> None:
    networks = (
        ("weak", 0.2, "a"),
        ("strong", 0.8, "a"),
        ("between", 0.5004, "a"),
        ("like", 0.5, "a"),
        ("alone", 0.1, "b"),
    )
    for name, worst, data in networks:
        add_entry(write_report(tmp_path, worst), tmp_path / "entries", name, TRAINING, data)
    page = make_leaderboard(read_entries(tmp_path / "entries"))
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["a", "b", "Rules", "Add yours"]
    ranks = re.findall(r"^\| (\d) \| \*\*(\w+)\*\* \| ([\d.]+) \| ([\d.]+ \([\d.–]+\)) ", page, re.MULTILINE)
    clean = f"{report_of('undefended')['clean']['DIC']:.3f}"
    assert ranks == [
        ("1", "strong", clean, "0.800 (0.790–0.810)"),
        ("2", "between", clean, "0.500 (0.490–0.510)"),
        ("2", "like", clean, "0.500 (0.490–0.510)"),
        ("4", "weak", clean, "0.200 (0.190–0.210)"),
        ("1", "alone", clean, "0.100 (0.090–0.110)"),
    ]
    assert "| weak | 100 epochs of soft Dice. | 11.2 | 61 | cpu | 2026-11-26 | c0ffee |" in page
    # every table is whole
    for lines in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count("|") for line in lines.splitlines()}) == 1


def test_an_entry_has_the_report_s_hash_and_no_image_s_name(tmp_path: Path) -> None:
    report = write_report(tmp_path)
    entry = json.loads(add_entry(report, tmp_path / "entries", "mine", TRAINING, "my set").read_text())
    assert entry["report_sha256"] == hashlib.sha256(report.read_bytes()).hexdigest()
    assert "image_0" in report.read_text() and "image_0" not in json.dumps(entry)
    assert "phantoms of chests" in report.read_text() and "phantoms of chests" not in json.dumps(entry)
    assert why_not_ranked(entry) == []


FAILED = {"name": "attacks agree", "status": "failed", "value": 0.2, "meaning": "It leaks."}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"budget": "quick"}, "the budget is quick, not standard or full"),
        ({"images": 15}, "15 images are fewer than 16"),
        ({"floor": dict.fromkeys(("8", "16", "32"), None)}, "there are no training masks for the floor"),
        ({"floor": dict.fromkeys(("8", "16", "32"), 0.99)}, "the clean DIC is not above the floor of 0.990"),
        ({"checks": [*PASSED, FAILED]}, "a check failed: attacks agree"),
        ({"checks": PASSED[1:]}, "7 checks passed, fewer than 8"),
        ({"left_out": 3}, "3 images were left out"),
        ({"commit": "c0ffee+dirty"}, "the code is not that of a commit (c0ffee+dirty)"),
        ({"facts": {"network_sha256": None}}, "the hash of the network is missing"),
        ({"facts": {"data_sha256": None}}, "the hash of the data is missing"),
        ({"commit": None}, "the code is not that of a commit (unknown)"),
    ],
)
def test_what_breaks_a_rule_is_shown_with_the_reason_and_not_ranked(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    add_entry(write_report(tmp_path, **changes), tmp_path / "entries", "mine", TRAINING, "my set")
    (entry,) = read_entries(tmp_path / "entries")
    assert why_not_ranked(entry) == [why]
    page = make_leaderboard([entry])
    assert "**mine**" not in page and f"| {why} |" in page


def test_one_name_of_data_is_one_set_of_pictures(tmp_path: Path) -> None:
    entries, said = tmp_path / "entries", "one and two call their data 'my set', but their test pictures"
    add_entry(write_report(tmp_path), entries, "one", TRAINING, "my set")
    other = write_report(tmp_path, facts={"data_sha256": "ef" * 32})
    with pytest.raises(InputError, match=said):
        add_entry(other, entries, "two", TRAINING, "my set")
    assert [entry["name"] for entry in read_entries(entries)] == ["one"]
    # one that was put there by hand
    entry = json.loads(add_entry(other, entries, "two", TRAINING, "another set").read_text())
    entry["report"]["data"] = "my set"
    (entries / "two.json").write_text(json.dumps(entry))
    with pytest.raises(InputError, match=said):
        read_entries(entries)


def test_pictures_without_a_hash_are_not_said_to_be_others(tmp_path: Path) -> None:
    entries = tmp_path / "entries"
    add_entry(write_report(tmp_path), entries, "a", TRAINING, "my set")
    add_entry(write_report(tmp_path, facts={"data_sha256": None}), entries, "b", TRAINING, "my set")
    assert [entry["name"] for entry in read_entries(entries)] == ["a", "b"]
    # nor do they hide that others differ
    entry = json.loads((entries / "a.json").read_text())
    entry["name"], entry["report"]["facts"]["data_sha256"] = "c", "ef" * 32
    (entries / "c.json").write_text(json.dumps(entry))
    with pytest.raises(InputError, match="a and c call their data 'my set', but their test pictures"):
        read_entries(entries)


def test_one_name_of_data_has_one_intensity_range(tmp_path: Path) -> None:
    entries = tmp_path / "entries"
    add_entry(write_report(tmp_path, facts={"intensity_range": [0.0, 1.0]}), entries, "one", TRAINING, "my set")
    # as earlier versions made it
    entry = json.loads((entries / "one.json").read_text())
    del entry["report"]["facts"]["intensity_range"]
    (entries / "one.json").write_text(json.dumps(entry))
    add_entry(write_report(tmp_path, facts={"intensity_range": [0.0, 1.0]}), entries, "like", TRAINING, "my set")
    other = write_report(tmp_path, facts={"intensity_range": [0.2, 0.7]})
    with pytest.raises(InputError, match=r"but ε counts 255th parts of \[0, 1\] and of \[0\.2, 0\.7\]; assess both"):
        add_entry(other, entries, "two", TRAINING, "my set")
    assert [entry["name"] for entry in read_entries(entries)] == ["like", "one"]


def change(report: dict[str, Any], where: str, value: Any) -> None:
    *folders, key = where.split("/")
    for folder in folders:
        report = report[folder]
    report[key] = value


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("worst_case/8/DIC", 0.95, "worst_case: 8: 0.950 is not the mean of per_image over the 16 images; give the"),
        ("clean/DIC", 0.5, "clean: 0.500 is not the mean"),
        ("floor", dict.fromkeys(("8", "16", "32"), 0.1), "floor: 0.100 is not the mean"),
        ("images", 123, "is not the mean of per_image over the 123 images"),
        ("facts/parameters", "many", "gives no entry of the leaderboard (report: facts: parameters: 'many' is not"),
    ],
)
def test_a_report_that_was_changed_by_hand_is_refused(tmp_path: Path, where: str, value: Any, said: str) -> None:
    path = write_report(tmp_path)
    report = json.loads(path.read_text())
    change(report, where, value)
    path.write_text(json.dumps(report))
    with pytest.raises(InputError, match=re.escape(said)):
        add_entry(path, tmp_path / "entries", "mine", TRAINING, "my set")
    assert not (tmp_path / "entries").exists()


def test_texts_do_not_end_their_cells(tmp_path: Path) -> None:
    report = write_report(tmp_path, findings=["One | two."], budget="quick")
    add_entry(report, tmp_path / "entries", "mine", "a | b", "my | set")
    page = make_leaderboard(read_entries(tmp_path / "entries"))
    (row,) = re.findall(r"^\| mine .*", page, re.MULTILINE)
    assert r"a \| b | my \| set |" in row and row.endswith(r"| One \| two. |")


def test_the_papers_attack_of_earlier_reports_is_marked(tmp_path: Path) -> None:
    for name, version in (("old", 1), ("new", 2)):
        add_entry(write_report(tmp_path, schema_version=version), tmp_path / "entries", name, TRAINING, "my set")
    page = make_leaderboard(read_entries(tmp_path / "entries"))
    dic = report_of("undefended")["attacks"]["paper"]["8"]["DIC"]
    assert page.count(f"| {dic:.3f}* |") == 1 and page.count(f"| {dic:.3f} |") == 1


def test_an_intensity_that_is_missing_is_named(tmp_path: Path) -> None:
    report = report_of("undefended")
    (tmp_path / "report.json").write_text(json.dumps(report))
    add_entry(tmp_path / "report.json", tmp_path / "entries", "mine", TRAINING, "my set")
    assert "ε = 16 is missing" in why_not_ranked(*read_entries(tmp_path / "entries"))


def test_the_command_adds_and_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docs = ["leaderboard", "--docs", str(tmp_path)]
    assert main(docs) == 2
    assert "has no entry; add one with --add" in capsys.readouterr().err
    report = str(write_report(tmp_path))
    assert main([*docs, "--add", report, "--name", "mine", "--training", TRAINING, "--data", "my set"]) == 0
    assert "**mine**" in (tmp_path / "leaderboard.md").read_text()
    words = ["--training", TRAINING, "--data", "my set"]
    for wrong, said in (
        (["--add", report], "belong together"),
        (
            ["--add", report, "--name", "My net", *words],
            "lower-case letters, digits and hyphens",
        ),
        (["--add", report, "--name", "mine", "--training", " ", "--data", "my set"], "say in one line"),
        (["--add", report, "--name", "mine", "--training", "a\rb", "--data", "my set"], "say in one line"),
        (
            ["--add", str(tmp_path / "no.json"), "--name", "mine", "--training", TRAINING, "--data", "my set"],
            "There is no report",
        ),
    ):
        assert main([*docs, *wrong]) == 2
        assert said in capsys.readouterr().err


def test_an_entry_of_other_weights_or_data_is_not_overwritten(tmp_path: Path) -> None:
    report, entries = write_report(tmp_path), tmp_path / "entries"
    add_entry(report, entries, "mine", TRAINING, "my set")
    assert add_entry(report, entries, "mine", "Told better.", "my set").exists()
    facts = json.loads(report.read_text())["facts"]
    for other, data in (
        (report, "another set"),
        (write_report(tmp_path, facts=facts | {"network_sha256": "f"}), "my set"),
    ):
        with pytest.raises(InputError, match=r"^--name: .*mine\.json is of other weights or other data; give another"):
            add_entry(other, entries, "mine", TRAINING, data)
    (entry,) = read_entries(entries)
    assert entry["training"] == "Told better."


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("report", {}, "report: 'network' is a required property"),
        ("report/worst_case/8/DIC", 3, "report: worst_case: 8: DIC: 3 is greater than the maximum of 1"),
        ("report/worst_case/8/DIC", math.nan, "is no JSON (NaN is no number)"),
        ("name", "yours", "is no entry of the name 'yours'"),
    ],
)
def test_an_entry_that_was_changed_by_hand_is_refused(tmp_path: Path, where: str, value: Any, said: str) -> None:
    path = add_entry(write_report(tmp_path), tmp_path / "entries", "mine", TRAINING, "my set")
    entry = json.loads(path.read_text())
    change(entry, where, value)
    path.write_text(json.dumps(entry))
    with pytest.raises(InputError, match=re.escape(said)):
        read_entries(path.parent)


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "mine"}'])
def test_a_file_that_is_no_entry_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(InputError, match=r"mine\.json is no"):
        read_entries(tmp_path)


def test_the_page_in_docs_is_that_of_its_entries() -> None:
    assert (DOCS / "leaderboard.md").read_text(encoding="utf-8") == make_leaderboard(read_entries(DOCS / "leaderboard"))
