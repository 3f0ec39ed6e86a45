# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from pipeline.inference import draw_overlay

CYAN = [0, 200, 255]


@pytest.mark.parametrize("channels", [1, 3])
def test_mask_is_outlined_and_tinted_and_the_rest_untouched(channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (channels, 20, 30)) / np.float32(255)
    mask = np.zeros((20, 30), np.uint8)
    mask[5:12, 10:25] = 1
    inside = np.zeros_like(mask)
    inside[6:11, 11:24] = 1
    drawn = draw_overlay(picture, mask)
    grey_levels = np.rint(255 * np.broadcast_to(picture, (3, 20, 30))).transpose(1, 2, 0)
    assert drawn.dtype == np.uint8 and drawn.shape == (20, 30, 3)
    np.testing.assert_array_equal(drawn[mask == 0], grey_levels[mask == 0])
    np.testing.assert_array_equal(drawn[mask > inside], np.broadcast_to(CYAN, (40, 3)))
    np.testing.assert_allclose(drawn[inside == 1], 0.85 * grey_levels[inside == 1] + 0.15 * np.array(CYAN), atol=0.51)


def test_outline_grows_with_the_picture() -> None:
    mask = np.zeros((900, 100), np.uint8)
    mask[:, 20:80] = 1
    drawn = draw_overlay(np.zeros((1, 900, 100), np.float32), mask)
    assert (drawn[450] == CYAN).all(axis=1).nonzero()[0].tolist() == [20, 21, 22, 77, 78, 79]


@pytest.mark.parametrize("value", [0, 1])
def test_mask_of_nothing_or_everything(value: int) -> None:
    drawn = draw_overlay(np.ones((1, 8, 9), np.float32), np.full((8, 9), value, np.uint8))
    assert np.unique(drawn.reshape(-1, 3), axis=0).tolist() == [[217, 247, 255] if value else [255, 255, 255]]
