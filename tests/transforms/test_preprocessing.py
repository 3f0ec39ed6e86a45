# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from scipy.ndimage import gaussian_filter

from .files import asymmetric

TRAIN = Path(__file__).parents[2] / "bundles" / "nlcen_jsrt" / "configs" / "train.json"


@pytest.fixture
def preprocess():
    """The transforms of the bundle, to 32 × 32."""
    parser = ConfigParser()
    parser.read_config(str(TRAIN))
    parser["image_size"] = [32, 32]
    return parser.get_parsed_content("train#preprocessing")


def save(folder, image, mask):
    item = {"image": str(folder / "image.png"), "label": str(folder / "mask.png")}
    Image.fromarray(image).save(item["image"])
    Image.fromarray(mask).save(item["label"])
    return item


def test_size_range_and_type(preprocess, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (70, 50), dtype=np.uint8)
    item = preprocess(save(tmp_path, noise, noise // 128 * 255))
    for key in ("image", "label"):
        assert item[key].shape == (1, 32, 32)
        assert item[key].dtype == torch.float32
    assert item["image"].min() >= 0 and item["image"].max() <= 1
    assert item["label"].unique().tolist() == [0, 1]


def test_picture_of_the_right_size_keeps_its_grey_levels(preprocess, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    item = preprocess(save(tmp_path, picture, picture // 128 * 255))
    np.testing.assert_array_equal(item["image"][0].numpy(), picture.astype(np.float32) / 255)
    np.testing.assert_array_equal(item["label"][0].numpy(), picture >= 128)


def test_large_picture_is_smoothed_before_it_is_made_small(preprocess, tmp_path):
    """A fine chessboard becomes its mean grey, and not a pattern that was never there."""
    board = (np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8)
    item = preprocess(save(tmp_path, board, board))
    np.testing.assert_allclose(item["image"][0, 2:-2, 2:-2].numpy(), 0.5, atol=0.02)


def test_picture_stays_upright(preprocess, tmp_path):
    picture = asymmetric((128, 128))
    item = preprocess(save(tmp_path, picture, np.zeros_like(picture)))
    expected = gaussian_filter(picture / 255, 1.5)[1::4, 1::4]
    assert np.abs(item["image"][0].numpy() - expected)[2:-2, 2:-2].max() < 0.02


def test_mask_is_one_where_half_of_the_area_is_covered(preprocess, tmp_path):
    mask = np.zeros((128, 128), np.uint8)
    mask[4:8, 8:12] = 255  # one whole cell of 4 × 4
    mask[8:12, 8:10] = 255  # half of the cell below
    mask[12:16, 8:10] = 255
    mask[15, 9] = 0  # one pixel less than half
    item = preprocess(save(tmp_path, mask, mask))
    assert item["label"].sum() == 2
    assert item["label"][0, 1:3, 2].tolist() == [1, 1]
