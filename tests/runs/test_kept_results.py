# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
import torch

from pipeline.runs import KeptResults, content_digest, kept_results
from pipeline.utils import InputError


def keep(path: Path | None, conditions: dict[str, object]) -> KeptResults:
    results = KeptResults(path, "sweep", conditions)
    results.add("a", "123", {"scores": [0.5]})
    results.save()
    return results


def test_what_was_found_is_there_again_for_the_same_content_and_conditions(tmp_path: Path) -> None:
    keep(tmp_path / "kept.json", {"range": (0.0, 1.0)})
    again = KeptResults(tmp_path / "kept.json", "sweep", {"range": (0.0, 1.0)})
    assert again.images == {"a": {"digest": "123", "scores": [0.5]}}
    assert again.done("a", "123") and not again.done("a", "124") and not again.done("b", "123")


def test_nothing_is_taken_of_other_conditions_code_or_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "kept.json"
    keep(path, {"seed": 0})
    with caplog.at_level(logging.WARNING):
        assert not KeptResults(path, "sweep", {"seed": 1}).images
    assert caplog.messages == [
        f"{path} belongs to another network, other settings, code or torch; the sweep starts again."
    ]
    with monkeypatch.context() as changed:
        changed.setattr(kept_results, "code_in_use", lambda: "other")
        assert not KeptResults(path, "sweep", {"seed": 0}).images
    with monkeypatch.context() as changed:
        changed.setattr(torch, "__version__", "9.9")
        assert not KeptResults(path, "sweep", {"seed": 0}).images
    assert KeptResults(path, "sweep", {"seed": 0}).images


def test_without_a_file_results_are_in_memory_only() -> None:
    assert keep(None, {}).done("a", "123")


@pytest.mark.parametrize("text", ["{", "[]", '{"images": {}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "kept.json").write_text(text)
    with pytest.raises(InputError, match=r"kept.json is not the file of an interrupted sweep, or is damaged; remove"):
        KeptResults(tmp_path / "kept.json", "sweep", {})


def test_a_digest_tells_image_and_mask() -> None:
    image, label = torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)
    other = label.clone()
    other[0, 0, 0] = 1
    assert len({content_digest(image, label), content_digest(other, label), content_digest(image, other)}) == 3


def test_a_digest_is_that_of_the_bytes_of_any_number_type() -> None:
    image, label = torch.rand(2, 3, 4).mT, torch.randint(2, (1, 4, 3))
    content = image.numpy().tobytes() + label.numpy().tobytes()
    assert content_digest(image, label) == hashlib.sha256(content).hexdigest()
    assert content_digest(image.bfloat16(), label) != content_digest(image.bfloat16() + 1, label)
