# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.packaging.model_card import model_card
from pipeline.packaging.trained_run import TrainedRun
from pipeline.robustness.report import make_report
from pipeline.utils import InputError
from tests.robustness.report.assessments import undefended

WEIGHTS = b"weights"


@pytest.fixture
def run(tmp_path: Path) -> TrainedRun:
    (tmp_path / "model.pt").write_bytes(WEIGHTS)
    return TrainedRun(tmp_path / "model.pt", "pictures", (3, 1), {0.0: (0.9, 0.8)}, 7, "c0ffee", False, False, "")


def write_report(path: Path, weights: bytes = WEIGHTS) -> Path:
    made = undefended()
    facts = {**made.facts, "weights_sha256": sha256(weights).hexdigest()}
    report = make_report(replace(made, facts=facts))
    report["findings"].insert(0, "The attack '<b>' is strong.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report))
    return path


def card(run: TrainedRun, report: Path | None = None) -> str:
    return model_card("# NLCEN\n\nA text.\n", "nlcen_jsrt", {"required_packages_version": {}} | VERSIONS, run, report)


VERSIONS = {f"{package}_version": "1" for package in ("pytorch", "monai", "numpy")}


def test_the_section_comes_from_the_report_beside_the_weights_or_from_the_one_given(run: TrainedRun) -> None:
    beside = run.weights.parent / "robustness" / "report.json"
    other = write_report(run.weights.parent / "other" / "report.json")
    for report in (other, write_report(beside)):
        text = card(run, report if report == other else None)
        assert text.startswith("# NLCEN\n\nA text.\n\n## Robustness\n")
        assert "\n1. The attack '&lt;b&gt;' is strong.\n2. One attack is not enough" in text
        assert "\n| 0 | 0.962 | 0.949 to 0.975 | 0.928 |\n| 2 | 0.845 | 0.828 to 0.859 | 0.732 |\n" in text
        assert "Budget: quick, 100 gradients for each image." in text
        assert "\n```\npython -m monai.bundle run robustness --budget quick\n```\n" in text


def test_without_a_report_it_says_so(run: TrainedRun) -> None:
    assert card(run).endswith("## Robustness\n\nHow robust these weights are was not assessed: there is no report of a robustness run of them.\n")  # fmt: skip # noqa: E501


def test_a_report_of_other_weights_is_refused(run: TrainedRun) -> None:
    write_report(run.weights.parent / "robustness" / "report.json", b"others")
    with pytest.raises(InputError, match=r"report\.json: facts: weights_sha256: is not that of"):
        card(run)
