# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from torch import nn

from pipeline.inference import PlausibleMasks
from pipeline.transforms import MaskRange, write_mask_range
from pipeline.weights import fingerprint_network

NETWORK = nn.Conv2d(1, 2, 1)


def rows(count: int, of: int = 100) -> np.ndarray:
    return (np.arange(of)[:, None] < count) * np.ones((1, 20))


def stripes(count: int) -> np.ndarray:
    """As many parts, in rows 0, 2, 4 …, 30 rows in all."""
    mask = np.zeros((100, 20))
    mask[: 2 * count : 2] = 1
    mask[2 * count - 1 : 2 * count - 1 + 30 - count] = 1
    return mask


def check(weights: Path, *masks: np.ndarray, network: nn.Module = NETWORK) -> PlausibleMasks:
    """Let an evaluator of batches of two run over the pictures a, b …"""
    items = [({"shown": chr(ord("a") + index)}, mask) for index, mask in enumerate(masks)]
    batches = [items[start : start + 2] for start in range(0, len(items), 2)]

    def step(engine: Engine, batch: Any) -> Any:
        engine.state.batch = [item for item, _ in batch]
        return [{"pred": torch.from_numpy(mask)[None]} for _, mask in batch]

    handler = PlausibleMasks(str(weights), network)
    engine = Engine(step)
    handler.attach(engine)
    engine.run(batches)
    return handler


def write(folder: Path, area: tuple[float, float] = (0.2, 0.4), parts: int = 2) -> Path:
    write_mask_range(MaskRange(fingerprint_network(NETWORK), 30, area, parts), folder / "model.pt")
    return folder / "model.pt"


@pytest.mark.parametrize(
    ("trained", "mask", "covers"),
    [
        ((0.2, 0.4), rows(10), None),
        ((0.2, 0.4), rows(9), "9.0%"),
        ((0.2, 0.4), rows(60), None),
        ((0.2, 0.4), rows(61), "61.0%"),
        ((0.2, 0.4), rows(100), "100.0%"),
        # half of the background of the largest
        ((0.2, 0.8), rows(90), None),
        ((0.2, 0.8), rows(91), "91.0%"),
        ((0.2, 1.0), rows(100), None),
        ((0.0, 0.0), rows(1), "1.0%"),
    ],
)
def test_area(trained: tuple[float, float], mask: np.ndarray, covers: str | None, tmp_path: Path) -> None:
    found = check(write(tmp_path, trained), rows(30 if trained[1] else 0), mask)
    sentence = f"b: the mask covers {covers} of the picture; those of the training cover {trained[0]:.1%} to "
    expected = [f"{sentence}{trained[1]:.1%}."] if covers else []
    assert [each for each in found.implausible if each.startswith("b")] == expected
    assert found.unchecked == ""


@pytest.mark.parametrize(("parts", "implausible"), [(1, False), (5, False), (6, True), (20, True)])
def test_parts(parts: int, implausible: bool, tmp_path: Path) -> None:
    found = check(write(tmp_path), stripes(parts))
    expected = [f"a: the mask has {parts} parts; those of the training have 2 at most."] if implausible else []
    assert found.implausible == expected


def test_every_mask_of_every_batch_is_compared(tmp_path: Path) -> None:
    found = check(write(tmp_path), rows(0), rows(30), rows(70), rows(30), rows(5))
    assert [each[0] for each in found.implausible] == ["a", "c", "e"]
    assert found.implausible[0] == "a: the mask is empty."


def test_the_size_of_the_picture_does_not_matter(tmp_path: Path) -> None:
    found = check(write(tmp_path), rows(3, of=10), rows(300, of=1000), rows(7, of=10), rows(700, of=1000))
    assert [each[0] for each in found.implausible] == ["c", "d"]


def test_without_the_file_only_empty_masks_are_found(tmp_path: Path) -> None:
    found = check(tmp_path / "model.pt", rows(0), rows(100), stripes(20))
    assert found.implausible == ["a: the mask is empty."]
    assert f" There is no {tmp_path}/model_masks.json; copy it from" in found.unchecked


@pytest.mark.parametrize("damaged", [True, False])
def test_a_file_that_is_damaged_or_of_other_weights(tmp_path: Path, damaged: bool) -> None:
    """Such as one that a later training has left."""
    write(tmp_path)
    if damaged:
        (tmp_path / "model_masks.json").write_text("{}")
    found = check(tmp_path / "model.pt", rows(100), network=NETWORK if damaged else nn.Conv2d(1, 2, 1))
    assert found.implausible == []
    why = "is damaged;" if damaged else f"belongs to other weights than {tmp_path}/model.pt;"
    assert f" {tmp_path}/model_masks.json {why} copy it " in found.unchecked


def test_a_run_that_goes_on_keeps_what_was_found_and_reads_the_file_anew(tmp_path: Path) -> None:
    handler = PlausibleMasks(tmp_path / "model.pt", NETWORK)
    engine = Engine(lambda engine, batch: [{"pred": torch.full((1, 4, 4), item["full"])} for item in batch])
    handler.attach(engine)
    engine.run([[{"shown": "a", "full": 0}], [{"shown": "b", "full": 1}]])
    assert handler.unchecked and handler.implausible == ["a: the mask is empty."]
    write(tmp_path)
    engine.run([[{"shown": "c", "full": 1}]])
    assert not handler.unchecked and [each[0] for each in handler.implausible] == ["a", "c"]
