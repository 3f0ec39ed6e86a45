# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_fill_holes, label
from skimage.filters import threshold_otsu

from data_prep.lesion_image import make_lesion


def test_same_arguments_same_arrays():
    first, again, other_index, other_seed = (
        make_lesion(*arguments, size=48) for arguments in ((3, 1), (3, 1), (3, 2), (4, 1))
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    for other in (other_index, other_seed):
        assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[1], other[1])


@pytest.mark.parametrize(("size", "count"), [(32, 40), (64, 40), (256, 4)])
def test_one_lesion_in_every_picture(size, count):
    for index in range(count):
        picture, mask = make_lesion(0, index, size)
        assert picture.shape == (size, size, 3) and mask.shape == (size, size)
        assert picture.dtype == mask.dtype == np.uint8
        assert np.unique(mask).tolist() == [0, 255]
        assert label(mask)[1] == 1, "one part"
        assert np.array_equal(binary_fill_holes(mask > 0), mask > 0), "without holes"
        assert 0.005 < (mask > 0).mean() < 0.97
        assert np.ptp(picture) > 60 and not np.array_equal(picture[..., 0], picture[..., 2])


def test_what_is_drawn_varies():
    """Area, place, contrast, skin and corners; some lesions reach out of the picture."""
    areas, contrasts, skins, cut, corners = [], [], [], [], []
    for index in range(60):
        picture, mask = make_lesion(0, index, 64)
        grey, lesion = picture.mean(-1), mask > 0
        around = binary_dilation(lesion, iterations=6) & ~lesion & (grey > 20)
        areas.append(lesion.mean())
        contrasts.append(np.median(grey[around]) - np.median(grey[lesion]))
        skins.append(np.median(picture[around], axis=0))
        cut.append(lesion[[0, -1]].any() or lesion[:, [0, -1]].any())
        corners.append(grey[:2, :2].mean() < 10)
    assert np.quantile(areas, 0.1) < 0.12 and np.quantile(areas, 0.9) > 0.4
    # nearly all are darker than the skin around them, some hardly
    assert np.mean(np.array(contrasts) > 2) > 0.9
    assert np.mean(np.array(contrasts) < 30) > 0.1 and np.mean(np.array(contrasts) > 60) > 0.2
    assert (np.std(skins, axis=0) > 15).all()
    assert 0.1 < np.mean(cut) < 0.6
    assert 0.1 < np.mean(corners) < 0.6


def test_a_threshold_does_not_find_the_lesions():
    """Hairs, black corners and uneven light have the lesions' grey levels, so that a network must learn the shape."""
    scores = []
    for index in range(30):
        picture, mask = make_lesion(1, index, 96)
        grey = picture.mean(-1)
        dark, lesion = grey < threshold_otsu(grey), mask > 0
        scores.append(2 * (dark & lesion).sum() / (dark.sum() + lesion.sum()))
    assert np.mean(scores) < 0.8
