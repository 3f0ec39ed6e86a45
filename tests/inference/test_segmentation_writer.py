# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.transforms import LoadImage
from PIL import Image

from pipeline.inference import SegmentationWriter, draw_overlay
from pipeline.transforms import PictureReader
from pipeline.utils import InputError
from tests.transforms.files import asymmetric, write_dicom

MASK = (asymmetric((6, 9)) > 100).astype(np.uint8)


def load(path: Path) -> MetaTensor:
    return LoadImage(reader=PictureReader())(path)


def write(output_dir: Path, *names: str, picture: MetaTensor) -> None:
    """Let an engine run over one batch, whose first mask is MASK and whose others are empty."""
    output = [{"pred": MetaTensor(MASK[None] * float(index == 0))} for index in range(len(names))]
    engine = Engine(lambda engine, batch: output)
    SegmentationWriter(output_dir).attach(engine)
    engine.run([[{"name": name, "picture": picture} for name in names]])


def test_every_picture_of_a_batch_gets_its_three_files(tmp_path: Path) -> None:
    pixels = asymmetric((6, 9))
    path = write_dicom(tmp_path / "a.dcm", pixels, PixelSpacing=[0.2, 0.1])
    write(tmp_path / "results", "a", "sub/b", picture=load(path))
    files = sorted(str(file.relative_to(tmp_path / "results")) for file in (tmp_path / "results").rglob("*.*"))
    assert files == [f"{n}_{k}" for n in ("a", "sub/b") for k in ("mask.nii.gz", "mask.png", "overlay.png")]

    nifti = nib.load(tmp_path / "results" / "a_mask.nii.gz")
    assert nifti.get_data_dtype() == np.uint8 and nifti.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.asarray(nifti.dataobj)[..., 0].T, MASK)
    np.testing.assert_allclose(nifti.affine, np.diag([-0.1, -0.2, 1, 1]), rtol=1e-6)
    with Image.open(tmp_path / "results" / "a_mask.png") as mask:
        assert mask.mode == "L"
        np.testing.assert_array_equal(mask, 255 * MASK)
    with Image.open(tmp_path / "results" / "a_overlay.png") as overlay:
        assert overlay.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(overlay)[MASK == 0], np.stack([pixels] * 3, -1)[MASK == 0])
    with Image.open(tmp_path / "results" / "sub" / "b_mask.png") as mask:
        assert not np.any(mask)


def test_files_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", asymmetric((6, 9)))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a_mask.png").write_text("old")
    for _ in range(2):
        write(tmp_path / "results", "a", picture=load(path))
    with Image.open(tmp_path / "results" / "a_mask.png") as mask:
        np.testing.assert_array_equal(mask, 255 * MASK)
    assert len(os.listdir(tmp_path / "results")) == 3


def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dicom(tmp_path / "a.dcm", asymmetric((6, 9)))
    write(tmp_path / "results", "a", picture=load(path))
    before = (tmp_path / "results" / "a_mask.png").read_bytes()

    def full(self: Image.Image, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(InputError, match=r"cannot be written to .*/results \(No space left on device\); make"):
        write(tmp_path / "results", "a", picture=load(path))
    assert (tmp_path / "results" / "a_mask.png").read_bytes() == before
    assert len(os.listdir(tmp_path / "results")) == 3


def test_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    picture = MetaTensor(torch.zeros(1, 4, 4), meta=load(write_dicom(tmp_path / "a.dcm", asymmetric((4, 4)))).meta)
    with pytest.raises(ValueError, match=r"the mask must have the shape of the original, \(4, 4\), got \(6, 9\)"):
        write(tmp_path / "results", "a", picture=picture)


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
