# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.robustness import GalleryPicture
from pipeline.robustness.gallery import Gallery


def shown(image: str, epsilon: float, dic: float, clean: float) -> GalleryPicture:
    picture, mask = np.zeros((1, 2, 2)), np.zeros((2, 2))
    return GalleryPicture(image, epsilon, "dice", dic, clean, picture, picture, mask, mask, mask)


def test_the_worst_stay_and_what_no_attack_harms_comes_last(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path, 3)
    for each in (
        shown("missed already", 2.0, 0.0, 0.0),
        shown("broken late", 8.0, 0.1, 0.9),
        shown("broken early", 4.0, 0.2, 0.9),
        shown("lost more", 8.0, 0.0, 0.9),
        shown("held", 8.0, 0.9, 0.9),
    ):
        gallery.offer(each)
    assert [each.image for each in Gallery(tmp_path, 3).pictures()] == ["broken early", "lost more", "broken late"]
