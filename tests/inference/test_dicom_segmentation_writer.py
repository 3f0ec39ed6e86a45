# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import highdicom
import numpy as np
import pydicom
import pytest
import torch

from pipeline.inference import DicomSegmentationWriter
from tests.transforms.files import write_dicom

MASK = np.eye(4, dtype=np.uint8)


def write_segmentation(folder: Path, **tags: object) -> DicomSegmentationWriter:
    """A writer that has worked on a picture with such tags."""
    path = write_dicom(folder / "picture", np.zeros((4, 4), np.uint8), **tags)
    writer = DicomSegmentationWriter(
        folder / "out",
        fingerprint=lambda: "0123456789abcdef",
        label="Lung",
        category=("91723000", "SCT", "Anatomical Structure"),
        kind=("39607008", "SCT", "Lung structure"),
        algorithm=("NLCEN", "0.1.0"),
    )
    writer.start()
    picture = SimpleNamespace(meta={"filename_or_obj": str(path)})
    state = SimpleNamespace(
        batch=[{"picture": picture, "name": "a", "shown": "a"}], output=[{"pred": torch.from_numpy(MASK)[None]}]
    )
    writer(SimpleNamespace(state=state))
    return writer


def segment(folder: Path, **tags: object) -> pydicom.Dataset:
    """The DICOM SEG of a picture with such tags."""
    assert write_segmentation(folder, **tags).failures == []
    segmentation = highdicom.seg.segread(folder / "out" / "a_seg.dcm")
    np.testing.assert_array_equal(segmentation.pixel_array, MASK)
    return segmentation


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (None, "Doe^Jane"),
        ("ISO_IR 6", "Doe^Jane"),
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO 2022 IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "Müller^山田"),
        ("GB18030", "王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_names_in_any_character_set(character_set: object, name: str, tmp_path: Path) -> None:
    data = segment(tmp_path, SpecificCharacterSet=character_set, PatientName=name)
    assert str(data.PatientName) == name and data.SpecificCharacterSet == "ISO_IR 192"


def test_a_character_set_that_nobody_knows(tmp_path: Path) -> None:
    assert str(segment(tmp_path, SpecificCharacterSet="ISO_IR 999", PatientName="Doe").PatientName) == "Doe"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", "00000000"),
        ("PatientBirthDate", "19701345"),
        ("StudyDate", "00000000"),
        ("StudyTime", "250000"),
        ("StudyTime", "120"),
    ],
)
def test_impossible_dates_and_times_are_left_out(keyword: str, value: str, tmp_path: Path) -> None:
    with pydicom.config.disable_value_validation():
        data = segment(tmp_path, **{keyword: value})
    assert not data.get(keyword)


def test_possible_dates_and_times_are_kept(tmp_path: Path) -> None:
    data = segment(tmp_path, PatientBirthDate="19700131", StudyDate="20261125", StudyTime="120159.5")
    assert (data.PatientBirthDate, data.StudyDate, data.StudyTime) == ("19700131", "20261125", "120159.5")
