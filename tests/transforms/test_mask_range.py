# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.transforms import (
    MaskRange,
    copy_mask_range,
    mask_range_path,
    measure_mask,
    read_mask_range,
    write_mask_range,
)
from pipeline.utils import InputError

RANGE = MaskRange("ab12", 30, (0.125, 0.5), 2)


def squares(count: int, shape: tuple[int, ...] = (64, 64), side: int = 2) -> np.ndarray:
    """Foreground squares with a background between them."""
    mask = np.zeros(shape, np.uint8)
    for index in range(count):
        row, column = divmod(index, shape[1] // (2 * side))
        mask[2 * side * row : 2 * side * row + side, 2 * side * column : 2 * side * column + side] = 1
    return mask


@pytest.mark.parametrize(
    ("mask", "area", "parts"),
    [
        (np.zeros((8, 10)), 0.0, 0),
        (np.ones((8, 10), bool), 1.0, 1),
        (squares(1), 4 / 4096, 1),
        (squares(20), 80 / 4096, 20),
        (np.eye(4), 0.25, 1),  # connected over corners
        (np.array([[1, 0, 255]]), 2 / 3, 2),
        (squares(3, (6, 1000, 2)), 3 * 8 / 12000, 3),
    ],
)
def test_share_of_the_picture_and_parts(mask: np.ndarray, area: float, parts: int) -> None:
    assert measure_mask(mask) == (pytest.approx(area), parts)


@pytest.mark.parametrize(("pixels", "parts"), [(3, 1), (4, 2)])
def test_specks_are_no_parts(pixels: int, parts: int) -> None:
    """Of 200 × 200 pixels 4 are 1/10,000."""
    mask = np.zeros((200, 200))
    mask[50:100, 50:100] = 1
    mask[0, :pixels] = 1
    assert measure_mask(mask) == ((2500 + pixels) / 40000, parts)


def test_range_of_masks() -> None:
    masks = [squares(5), squares(2, (32, 32)), np.zeros((64, 64)), squares(1, (16, 16), 8)]
    assert MaskRange.of((mask for mask in masks), "x") == MaskRange("x", 4, (5 * 4 / 4096, 64 / 256), 5)
    assert MaskRange.of([np.zeros((4, 4))], "x") == MaskRange("x", 1, (0.0, 0.0), 0)


@pytest.mark.parametrize(
    ("weights", "name"),
    [("model.pt", "model"), ("model.safetensors", "model"), ("a.b/other.v2.pt", "a.b/other.v2"), ("bare", "bare")],
)
def test_written_beside_the_weights_and_read(weights: str, name: str, tmp_path: Path) -> None:
    write_mask_range(RANGE, str(tmp_path / weights))
    assert mask_range_path(tmp_path / weights) == tmp_path / f"{name}_masks.json"
    assert json.loads((tmp_path / f"{name}_masks.json").read_text()) == {
        "weights": "ab12",
        "masks": 30,
        "area": [0.125, 0.5],
        "parts": 2,
    }
    assert read_mask_range(tmp_path / weights) == RANGE


def test_copied_to_where_the_weights_go(tmp_path: Path) -> None:
    copy_mask_range(tmp_path / "model.pt", tmp_path / "export" / "model.safetensors")
    assert not list(tmp_path.iterdir())
    write_mask_range(RANGE, tmp_path / "model.pt")
    copy_mask_range(tmp_path / "model.pt", tmp_path / "export" / "model.safetensors")
    copy_mask_range(tmp_path / "model.pt", tmp_path / "model.safetensors")  # the same file
    assert read_mask_range(tmp_path / "export" / "model.safetensors") == read_mask_range(tmp_path / "model.pt") == RANGE


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_mask_range(tmp_path / "model.pt")
    assert str(error.value) == (
        f"There is no {tmp_path}/model_masks.json; copy it from where the training left it, beside its weights."
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        b"\xff\xfe",
        {"area": None},
        {"area": [0.5]},
        {"area": [0.5, 0.4]},
        {"area": [0.1, 1.1]},
        {"area": [float("nan"), 0.4]},
        {"area": ["a", "b"]},
        {"parts": -1},
        {"parts": float("inf")},
        {"masks": 0},
        {"weights": ...},
    ],
)
def test_damaged_file(content: Any, tmp_path: Path) -> None:
    good = {"weights": "ab12", "masks": 30, "area": [0.125, 0.5], "parts": 2}
    if isinstance(content, dict):
        content = json.dumps({key: value for key, value in (good | content).items() if value is not ...})
    (tmp_path / "model_masks.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        read_mask_range(tmp_path / "model.pt")
    assert str(error.value) == (
        f"{tmp_path}/model_masks.json is damaged; copy it again from where the training left it, beside its weights."
    )


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as error:
        write_mask_range(RANGE, tmp_path / "file" / "model.pt")
    assert str(error.value).startswith(f"{tmp_path}/file/model_masks.json cannot be written (")
