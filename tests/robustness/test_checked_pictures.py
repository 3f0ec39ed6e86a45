# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from pipeline.attacks import Sigmoid, Softmax
from pipeline.robustness.checked_pictures import CheckedPictures


def offer(checked: CheckedPictures, filled: dict[str, bool], size: int = 4, channels: int = 1) -> None:
    picture = torch.stack([torch.full((1, size, size), float(ord(name))) for name in filled])
    label = torch.stack([torch.full((channels, size, size), float(full)) for full in filled.values()])
    checked.offer(picture, label, list(filled))


def test_they_are_the_first_with_foreground_from_all_batches() -> None:
    checked = CheckedPictures(3, Softmax())
    assert not checked
    offer(checked, {"a": False, "b": True})
    offer(checked, {"c": True})
    offer(checked, {"d": False, "e": True, "f": True})
    picture, label, names = checked.chosen()
    assert checked and names == ("b", "c", "e")
    assert picture[:, 0, 0, 0].tolist() == [ord(name) for name in "bce"] and label.shape == (3, 1, 4, 4)


def test_empty_masks_stand_in_where_there_are_too_few_others() -> None:
    checked = CheckedPictures(3, Sigmoid(2))
    offer(checked, {"a": False, "b": True, "c": False, "d": False}, channels=2)
    assert checked.chosen()[2] == ("b", "a", "c")


def test_pictures_of_another_size_are_left_out() -> None:
    checked = CheckedPictures(3, Softmax())
    offer(checked, {"a": True})
    offer(checked, {"b": True}, size=5)
    offer(checked, {"c": True})
    assert checked.chosen()[2] == ("a", "c")
