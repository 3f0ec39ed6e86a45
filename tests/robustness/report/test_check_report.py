# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.robustness.report import check_report, instructions_for_use, read_report
from pipeline.utils import InputError

from .assessments import report_of

Change = Callable[[dict[str, Any]], Any]

BAD: dict[str, tuple[Change, str]] = {
    "missing": (lambda r: r.pop("gradients"), "'gradients' is a required property"),
    "unknown": (lambda r: r.update(mark="A"), "'mark' was unexpected"),
    "version": (lambda r: r.update(schema_version=3), "schema_version: 3 is not one of"),
    "score": (lambda r: r["worst_case"]["8"].update(DIC=1.5), "worst_case: 8: DIC: 1.5"),
    "status": (lambda r: r["checks"][0].update(status="fine"), "checks: 0: status: 'fine'"),
    "key": (lambda r: r["floor"].update(two=0.5), "floor: 'two'"),
    "other ε": (lambda r: r["ceiling"].pop("8"), "ceiling: has the ε 2, 32"),
    "nan": (lambda r: r["facts"].update(seed=float("nan")), "not finite"),
    "silent": (lambda r: r.update(findings=[]), "findings: "),
}


@pytest.mark.parametrize("name", BAD)
def test_what_has_another_form_is_refused_by_its_key(name: str) -> None:
    change, said = BAD[name]
    report = report_of("undefended")
    check_report(report)
    change(report)
    with pytest.raises(InputError, match=said):
        check_report(report)


def test_a_report_is_read_or_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with pytest.raises(InputError, match="There is no report"):
        read_report(path)
    path.write_text("{")
    with pytest.raises(InputError, match=r"report\.json cannot be read as JSON"):
        read_report(path)
    path.write_text("{}")
    with pytest.raises(InputError, match="is a required property"):
        read_report(path)
    path.write_text(json.dumps(report_of("undefended")))
    assert read_report(path) == report_of("undefended")


def test_instructions_are_few_sentences_with_the_reports_numbers() -> None:
    told = {name: report_of(name)["instructions"] for name in ("undefended", "leaking", "constant", "volumes")}
    assert {name: len(sentences) for name, sentences in told.items()} == {
        "undefended": 5,
        "leaking": 4,
        "constant": 4,
        "volumes": 3,
    }
    whole = told["undefended"]
    assert "12 test images of phantoms of chests the mean DIC is 0.962 (0.949 to 0.975)" in whole[0]
    assert "by at most 2 of 255 parts of the range 0 to 255 of the preprocessed picture, it is 0.845" in whole[1]
    assert "and at 32 parts 0.010" in whole[1] and whole[2].startswith("From 2 of 255 parts on")
    assert whole[3].startswith(
        "Of the corruptions tested, which are applied to the picture as the network gets it, after"
    )
    assert "blur at severity 5 of 5 costs most: the mean DIC is 0.205." in whole[3]
    assert "2 of 255 parts of the range -2.09 to 4.72 of the preprocessed picture" in told["volumes"][1]
    assert not any(word in " ".join(whole) for word in ("acquisition", "fault", "scanner"))
    assert "2 checks of 2 failed" in told["leaking"][-1]
    assert told["constant"][2].startswith("Without any such change") and "0.846" in told["constant"][2]
    report = report_of("one_image")
    report["worst_case"] = {"2": report["worst_case"]["2"]}
    assert (
        "of 255 parts of the range of the preprocessed" in instructions_for_use(report)[1]
        and "(" not in instructions_for_use(report)[0]
    )
