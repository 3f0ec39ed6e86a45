# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.bundles.conftest import ROOT


def _targets(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "_target_" in part:
            yield part["_target_"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _targets(each)


def _is_module(target: str) -> bool:
    try:
        return find_spec(target) is not None
    except ModuleNotFoundError:  # what is before its last dot is none, or no package
        return False


@pytest.mark.parametrize(
    "file", sorted((ROOT / "bundles").rglob("*.json")), ids=lambda file: str(file.relative_to(ROOT))
)
def test_no_target_is_the_name_of_a_module(file: Path) -> None:
    """From Python 3.12 on, ``pydoc.locate``, with which MONAI finds targets, prefers a module to a function."""
    assert [target for target in _targets(json.loads(file.read_text())) if "." in target and _is_module(target)] == []


def test_a_target_that_is_a_module_is_found() -> None:
    content = {"a": [{"_target_": "pipeline.bundle.tracker"}, {"_target_": "pipeline.bundle.open_tracker"}]}
    assert [_is_module(target) for target in _targets(content)] == [True, False]
