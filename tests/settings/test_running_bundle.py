# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

from monai.bundle import ConfigWorkflow

TRAIN = {
    "imports": ["$from pipeline.settings import merged_config"],
    "lr": 0.1,
    "epochs": 2,
    "double": "$2 * @lr",
    "section": {"items": [1, 2], "same": "%lr"},
    "holder": {"_target_": "builtins.dict", "config": "$merged_config()", "double": "@double"},
    "run": ["$@holder"],
}


def run_bundle(tmp_path: Path, **override: object) -> dict[str, object]:
    (tmp_path / "train.json").write_text(json.dumps(TRAIN))
    (tmp_path / "evaluate.json").write_text(json.dumps({"epochs": 3, "+section": {"more": True}}))
    workflow = ConfigWorkflow(
        config_file=[str(tmp_path / "train.json"), str(tmp_path / "evaluate.json")],
        meta_file=None,
        logging_file=False,
        workflow_type="train",
        **override,
    )
    workflow.initialize()
    (result,) = workflow.run()
    return dict(result["config"])


def test_a_bundle_sees_its_files_and_overrides_merged_and_nothing_evaluated(tmp_path: Path) -> None:
    config = run_bundle(tmp_path, lr=0.5, section__unused=None, **{"section::items::0": 7})
    assert config["lr"] == 0.5
    assert config["epochs"] == 3
    assert config["double"] == "$2 * @lr"
    assert config["section"] == {"items": [7, 2], "same": 0.5, "more": True}
    assert config["holder"] == TRAIN["holder"]
    assert "_meta_" not in config


def test_it_is_a_copy(tmp_path: Path) -> None:
    first = run_bundle(tmp_path)
    first["section"]["items"].append(3)  # type: ignore[index]
    assert run_bundle(tmp_path)["section"] == {"items": [1, 2], "same": 0.1, "more": True}
