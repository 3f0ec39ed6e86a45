# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runs import fingerprint_config

CONFIG = {"lr": 1e-3, "train": {"dataloader": {"batch_size": 8, "num_workers": 2}}, "list": [1, {"progress": True}]}


@pytest.mark.parametrize(
    "other",
    [
        {"list": [1, {"progress": True}], "train": CONFIG["train"], "lr": 1e-3},
        {**CONFIG, "tracking_uri": "http://elsewhere", "run_name": "mine", "register": "lungs"},
        {**CONFIG, "train": {"dataloader": {"batch_size": 8, "num_workers": 0}}},
        {**CONFIG, "list": [1, {"progress": False}]},
        {**CONFIG, "list": (1, {})},
    ],
)
def test_order_and_what_changes_no_result_are_ignored(other: dict[str, object]) -> None:
    assert fingerprint_config(other) == fingerprint_config(CONFIG)


@pytest.mark.parametrize(
    "other",
    [
        {**CONFIG, "lr": 2e-3},
        {**CONFIG, "train": {"dataloader": {"batch_size": 4, "num_workers": 2}}},
        {**CONFIG, "list": [{"progress": True}, 1]},
        {**CONFIG, "seed": 0},
        {"lr": 1e-3},
    ],
)
def test_what_changes_the_result_changes_the_fingerprint(other: dict[str, object]) -> None:
    assert fingerprint_config(other) != fingerprint_config(CONFIG)


def test_the_ignored_keys_can_be_chosen() -> None:
    assert fingerprint_config({"a": 1, "seed": 1}, ["seed"]) == fingerprint_config({"a": 1, "seed": 2}, ["seed"])
    assert fingerprint_config({"progress": 1}, []) != fingerprint_config({"progress": 2}, [])


def test_objects_count_by_their_text_and_not_by_their_address() -> None:
    class Thing:
        pass

    assert fingerprint_config({"x": Thing()}) == fingerprint_config({"x": Thing()})
    assert fingerprint_config({"x": Path("a")}) != fingerprint_config({"x": Path("b")})
    assert fingerprint_config({"x": Path("a")}) == fingerprint_config({"x": "a"})
