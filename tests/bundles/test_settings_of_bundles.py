# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigWorkflow

from tests.bundles.conftest import BUNDLE, ROOT, Start

TRAIN = "bundles/nlcen_jsrt/train.json"
EVALUATE = "bundles/nlcen_jsrt/evaluate.json"


def test_the_network_without_nlce_is_the_one_that_false_asks_for(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of parameters is that of the network with ``nlce: false`` in the file."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # a run changes it
    settings = {**settings, "image_size": [64, 64], "max_epochs": 1, "batch_size": 4, "epsilons": [2.0], "panels": 0}
    workflow = ConfigWorkflow(str(BUNDLE / "train.json"), logging_file=False, nlce="false", **settings)
    workflow.initialize()
    tracker = workflow.parser.get_parsed_content("tracker")
    tracker.close("KILLED")
    assert (tracker.params["parameters"], tracker.params["network"]) == (12_638_730, "NLCEN w/o NLCE")
    assert tracker.params["network_params"]["nlce"] is False


def test_a_wrong_setting_ends_in_a_sentence_and_leaves_nothing(
    settings: dict[str, str], start: Start, tmp_path: Path
) -> None:
    wrong = [
        start("training", TRAIN, {**settings, "max_epochs": "1.5"}),
        start("trainig", TRAIN, settings),
        start("training", f"['{TRAIN}','{EVALUATE}']", settings),
    ]
    said = [program.finish().splitlines()[-1] for program in wrong]
    assert [program.status for program in wrong] == [1, 1, 1]
    assert said == [
        "error: --max_epochs must be a whole number of at least 1, got 1.5.",
        "error: The bundle has no run id 'trainig'; did you mean 'training'? It has training, run.",
        "error: The bundle has no run id 'training'. It has run, evaluating.",
    ]
    assert not list(tmp_path.iterdir())


def test_help_on_the_command_line(settings: dict[str, str], start: Start) -> None:
    program = start("evaluating", f"['{TRAIN}','{EVALUATE}']", {**settings, "help": "True"})
    output = program.finish()
    assert program.status == 0
    assert "run ids: run, evaluating" in output.splitlines()
    assert "--nlce                   true" in output


@pytest.mark.slow
def test_in_the_bundle_s_own_folder_one_sentence_says_where_to_start() -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", "train.json"]
    done = subprocess.run(
        command,
        cwd=ROOT / "bundles" / "nlcen_isbi2016",
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: no pipeline.bundle: pip install . or start beside it"
    assert "Traceback" not in done.stderr
