# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, LoadImaged

from pipeline.transforms import PictureReader, TellNotesd


def write(path: Path, low: float) -> str:
    """A picture whose display window whitens more than half of it."""
    image = nib.Nifti1Image(np.arange(64, dtype=np.int16).reshape(8, 8, 1), np.eye(4))
    image.header["cal_min"], image.header["cal_max"] = low, 10
    nib.save(image, path)
    return str(path)


def test_a_note_is_told_once_for_its_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write(tmp_path / f"{number}.nii.gz", number) for number in range(3)]
    load = Compose([LoadImaged("image", reader=PictureReader(channels=1)), TellNotesd("image")])
    for file in files:
        load({"image": file})
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert line.startswith(f"note: {files[0]}: ") and line.endswith(" Further notes of this kind are not shown.")


def test_a_file_without_a_note_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nib.save(nib.Nifti1Image(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), np.eye(4)), tmp_path / "a.nii.gz")
    load = Compose([LoadImaged("image", reader=PictureReader(channels=1)), TellNotesd("image")])
    load({"image": str(tmp_path / "a.nii.gz")})
    assert "note: " not in capsys.readouterr().err
