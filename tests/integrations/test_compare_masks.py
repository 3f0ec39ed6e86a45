# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from integrations.compare_masks import compare_masks


def write(folder: Path, png: np.ndarray, volume: np.ndarray, affine: np.ndarray) -> Path:
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(png).save(folder / "sub" / "a_mask.png")
    nib.save(nib.Nifti1Image(volume, affine), folder / "b_mask.nii.gz")
    return folder


def test_masks_are_equal_in_pixels_size_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    png, volume = np.zeros((4, 6), np.uint8), np.zeros((5, 3, 1), np.uint8)
    png[1, 2] = 255
    volume[2, 1] = 1
    own = write(tmp_path / "own", png, volume, np.eye(4))
    # 1 instead of 255, and a last axis of length 1 or none, are no difference
    assert compare_masks(own, write(tmp_path / "same", png // 255, volume[..., 0], np.eye(4))) == 0
    capsys.readouterr()

    other = png.copy()
    other[0, 0] = 255
    assert compare_masks(own, write(tmp_path / "other", other, volume, np.diag([1.0, 2, 1, 1]))) == 2
    assert capsys.readouterr().out == (
        "b_mask.nii.gz: elsewhere in space\nsub/a_mask.png: 1 pixels differ\n2 of 2 masks differ\n"
    )
    turned = write(tmp_path / "turned", png.T, volume, np.eye(4))
    Image.fromarray(png).save(turned / "more_mask.png")
    assert compare_masks(own, turned) == 2
    printed = capsys.readouterr().out
    assert "sub/a_mask.png: (6, 4) instead of (4, 6)" in printed and "more_mask.png: the bundle has none" in printed
    (turned / "sub" / "a_mask.png").unlink()
    assert compare_masks(own, turned) == 2
    assert "sub/a_mask.png: missing" in capsys.readouterr().out
    assert compare_masks(own, tmp_path / "nothing") == 2
    assert compare_masks(tmp_path / "nothing", tmp_path / "nothing") == 1
