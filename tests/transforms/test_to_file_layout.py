# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from pipeline.transforms import PictureReader, ToFileLayoutd


def layout_of(path: Path, mask: np.ndarray) -> tuple[MetaTensor, MetaTensor]:
    """The mask, given as people look at the picture, and the picture, after the transform."""
    reader = PictureReader(channels=1)
    pixels, meta = reader.get_data(reader.read(path))
    image = MetaTensor(torch.from_numpy(pixels), meta=meta)
    data = ToFileLayoutd(keys="pred", reference="image")({"image": image, "pred": MetaTensor(mask[None])})
    assert torch.equal(data["image"].as_tensor(), image.as_tensor())
    return data["pred"], data["image"]


def test_a_png_comes_as_columns_and_rows(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), dtype=np.float32)
    mask[3, 50] = 1
    Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "a.png")
    pred, image = layout_of(tmp_path / "a.png", mask)
    assert pred.shape == (1, 60, 40, 1) and pred.dtype == torch.uint8
    assert pred[0, :, :, 0].nonzero().tolist() == [[50, 3]]
    # MONAI Label resizes what differs from it
    assert list(image.meta["spatial_shape"]) == [60, 40, 1]


@pytest.mark.parametrize(
    "affine", [np.diag([-1.0, -1, 1, 1]), np.array([[0, -2.0, 0, 3], [1, 0, 0, 4], [0, 0, 1, 5], [0, 0, 0, 1]])]
)
def test_a_nifti_comes_in_the_layout_and_place_of_its_file(tmp_path: Path, affine: np.ndarray) -> None:
    volume = np.zeros((50, 30, 1), dtype=np.float32)
    volume[7, 20] = 1
    nib.save(nib.Nifti1Image(volume, affine), tmp_path / "a.nii.gz")
    pixels, _ = PictureReader(channels=1).get_data(PictureReader(channels=1).read(tmp_path / "a.nii.gz"))
    pred, _ = layout_of(tmp_path / "a.nii.gz", (pixels[0] > 0.5).astype(np.float32))
    assert pred.shape == (1, 50, 30, 1)
    assert pred[0].nonzero().tolist() == [[7, 20, 0]]
    assert np.allclose(pred.affine, affine)


def test_a_coronal_nifti_stays_coronal(tmp_path: Path) -> None:
    volume = np.zeros((50, 1, 30), dtype=np.float32)
    volume[7, 0, 20] = 1
    nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "a.nii.gz")
    reader = PictureReader(channels=1)
    pixels, _ = reader.get_data(reader.read(tmp_path / "a.nii.gz"))
    pred, image = layout_of(tmp_path / "a.nii.gz", (pixels[0] > 0.5).astype(np.float32))
    assert pred.shape == (1, 50, 1, 30) and list(image.meta["spatial_shape"]) == [50, 1, 30]
    assert pred[0].nonzero().tolist() == [[7, 0, 20]]
