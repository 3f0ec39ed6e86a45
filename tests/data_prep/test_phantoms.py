# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation, label
from skimage.filters import threshold_otsu

from data_prep.__main__ import main
from data_prep.lesion_image import make_lesion
from data_prep.phantom_image import make_phantom
from pipeline.transforms import load_datalist


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def phantoms(folder, **options):
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return main(["phantoms", "--output", str(folder), *words])


def test_same_seed_same_bytes(tmp_path, capsys):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert phantoms(tmp_path / name, count=5, size=64, seed=seed) == 0
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert len(a) == 11
    assert a == b
    assert all(a[name] != c[name] for name in a if name.endswith(".png"))
    assert capsys.readouterr().out.splitlines()[0] == (
        f"4 training and 1 test pairs in {tmp_path}/a/datalist.json (10 files written, 0 were there already)."
    )


@pytest.mark.parametrize(
    ("kind", "make", "description"),
    [
        (None, make_phantom, "2 chest-radiograph phantoms, 32 x 32, seed 5"),
        ("chest", make_phantom, "2 chest-radiograph phantoms, 32 x 32, seed 5"),
        ("skin", make_lesion, "2 dermoscopy phantoms, 32 x 32, seed 5"),
    ],
)
def test_kinds(tmp_path, kind, make, description):
    options = {"kind": kind} if kind else {}
    assert phantoms(tmp_path, count=2, size=32, seed=5, test_fraction=0.5, **options) == 0
    assert json.loads((tmp_path / "datalist.json").read_text())["description"] == description
    for index in range(2):
        for folder, pixels in zip(("images", "masks"), make(5, index, 32), strict=True):
            found = np.asarray(Image.open(tmp_path / folder / f"phantom_{index:04d}.png"))
            np.testing.assert_array_equal(found, pixels)


def test_kind_that_does_not_exist(tmp_path, capsys):
    with pytest.raises(SystemExit):
        phantoms(tmp_path, kind="knee")
    assert "argument --kind: invalid choice: 'knee'" in capsys.readouterr().err


def test_repeated_command_writes_only_what_is_not_whole(tmp_path, capsys):
    assert phantoms(tmp_path, count=5, size=64) == 0
    whole = files(tmp_path)
    (tmp_path / "datalist.json").unlink()
    (tmp_path / "images/phantom_0001.png").unlink()
    (tmp_path / "masks/phantom_0002.png").write_bytes(whole["masks/phantom_0002.png"][:-30])
    Image.new("L", (64, 64)).save(tmp_path / "images/phantom_0004.png")
    assert phantoms(tmp_path, count=5, size=64) == 0
    assert files(tmp_path) == whole
    assert "(3 files written, 7 were there already)" in capsys.readouterr().out


def test_test_fraction(tmp_path):
    assert phantoms(tmp_path, count=10, size=32, test_fraction=0.4) == 0
    training, test = (load_datalist(tmp_path / "datalist.json", section) for section in ("training", "test"))
    assert (len(training), len(test)) == (6, 4)
    assert len({entry["id"] for entry in training + test}) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 1}, "--count must be at least 2, one to train with and one to test, got 1."),
        ({"size": 31}, "--size must be at least 32 pixels, got 31."),
        ({"seed": -1}, "--seed must not be negative, got -1."),
        ({"test_fraction": 1.0}, "The test fraction must lie between 0 and 1, got 1.0."),
        (
            {"test_fraction": 0.01, "count": 3, "size": 32},
            "The split leaves the test part empty; no data list was written.",
        ),
    ],
)
def test_bad_options(tmp_path, capsys, options, message):
    assert phantoms(tmp_path / "out", **options) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {message}"
    assert not (tmp_path / "out" / "datalist.json").exists()


def test_a_threshold_does_not_find_the_lungs():
    """Air outside the body, gas and soft tissue have the lungs' grey levels, so that a network must learn the shape."""
    scores = []
    for index in range(12):
        image, mask = make_phantom(seed=1, index=index, size=128)
        dark, lungs = image < threshold_otsu(image), mask > 0
        scores.append(2 * (dark & lungs).sum() / (dark.sum() + lungs.sum()))
    assert np.mean(scores) < 0.8


@pytest.mark.parametrize("size", [64, 256])
def test_two_lungs_in_a_varied_picture(size):
    areas, levels = [], []
    for index in range(8):
        image, mask = make_phantom(seed=0, index=index, size=size)
        assert image.shape == mask.shape == (size, size)
        assert image.dtype == mask.dtype == np.uint8
        assert np.unique(mask).tolist() == [0, 255]
        regions, _ = label(mask)
        sizes = np.sort(np.bincount(regions.ravel())[1:])[::-1]
        assert len(sizes) >= 2 and sizes[1] > 0.05 * size**2, "two lungs"
        assert sizes[2:].sum() < 0.002 * size**2, "and nothing else"
        around = binary_dilation(mask > 0, iterations=size // 16) & (mask == 0)
        assert image[mask > 0].mean() < image[around].mean() - 5, "lungs are darker than what lies around them"
        assert np.ptp(image) > 150
        areas.append((mask > 0).mean())
        levels.append(image.mean())
    assert min(areas) > 0.15 and max(areas) < 0.6 and np.std(areas) > 0.01
    assert np.std(levels) > 5


def test_datalist_is_monai_s(tmp_path):
    assert phantoms(tmp_path, count=4, size=32) == 0
    content = json.loads((tmp_path / "datalist.json").read_text())
    assert content["test"] == [
        {"id": name, "image": f"images/{name}.png", "label": f"masks/{name}.png"}
        for name in (entry["id"] for entry in content["test"])
    ]
