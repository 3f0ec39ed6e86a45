# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from experiments.send_report import send_report
from pipeline.tracking.store import open_client

from .conftest import Project


def test_a_report_is_one_run_beside_those_of_the_cells(
    project: Project, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    plan = project.plan()
    files = [project.results / "summary.md", project.results / "figures" / "a.png"]
    for text in ("first", "second"):
        for file in files:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        send_report(plan, files)
    client = open_client(store)
    experiment = client.get_experiment_by_name("toy")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("report · results", "FINISHED")
    assert [item.path for item in client.list_artifacts(run.info.run_id)] == ["figures", "summary.md"]
    assert Path(client.download_artifacts(run.info.run_id, "figures/a.png")).read_text() == "second"


def test_a_store_that_does_not_answer_stops_no_report(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for uri in ("http://me:SECRET@127.0.0.1:9", "file:///tmp"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        send_report(project.plan(), [])
    assert caplog.text.count(str(project.results)) == 2
    assert "127.0.0.1:9" in caplog.text and "SECRET" not in caplog.text
