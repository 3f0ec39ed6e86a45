# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
import struct

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pipeline.transforms import is_picture, read_dicom, read_dicom_tags, read_picture
from pipeline.utils import InputError

from .files import asymmetric, fails, replace_text, write_dicom

PICTURE = asymmetric(maximum=4095, dtype=np.uint16)


def write_bare(path, syntax, group_2=False):
    """The data set alone, as old modalities and toolkits wrote it, or with file meta information but no preamble."""
    data = pydicom.dcmread(write_dicom(path, PICTURE, bits=12))
    if syntax == ExplicitVRBigEndian:
        data.PixelData = PICTURE.astype(">u2").tobytes()
    if group_2:
        data.save_as(path)
        path.write_bytes(path.read_bytes()[132:])
    else:
        bare = Dataset()
        bare.update(data)
        little, implicit = syntax != ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
        bare.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=False)
    assert path.read_bytes()[128:132] != b"DICM"
    return path


BARE = [
    (ExplicitVRLittleEndian, False),
    (ImplicitVRLittleEndian, False),
    (ExplicitVRBigEndian, False),
    (ExplicitVRLittleEndian, True),
]


@pytest.mark.parametrize(("syntax", "group_2"), BARE)
def test_files_without_preamble_are_read(tmp_path, syntax, group_2):
    path = write_bare(tmp_path / "chest", syntax, group_2)
    assert is_picture(path)
    assert read_dicom_tags(path).Modality == "DX"
    assert read_dicom(path).file_meta.TransferSyntaxUID == syntax
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels[0], PICTURE / 4095, atol=1e-6)
    assert picture.notes == "The file has no DICOM header; how it is encoded was taken from its content."


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08",
        b"\x08\x00",
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100",
        b"\x02\x00" + bytes(range(256)) * 4,
        b"\x00\x08" + b"text" * 100,
        b"\x08\x00" * 500,
        struct.pack("<HHL", 8, 5, 0xFFFFFFFF) * 20,
    ],
)
def test_other_files_that_begin_alike_are_no_pictures(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert not is_picture(path)
    with pytest.raises(InputError, match=f"^The file {re.escape(str(path))} cannot be read as a DICOM picture"):
        read_picture(path)


def test_compressed_pixels_of_a_file_that_does_not_say_how(tmp_path):
    path = write_dicom(tmp_path / "a", PICTURE, bits=12)
    data = pydicom.dcmread(path)
    data.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    data.save_as(path)
    path.write_bytes(path.read_bytes()[132:].replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0"))
    message = (
        f"The DICOM file {path} has compressed pixels, and its TransferSyntaxUID does not say how they are compressed; "
        "export it again as DICOM."
    )
    with fails(message):
        read_picture(path)


def test_one_bad_tag_does_not_hide_the_others(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", PICTURE, bits=12, BodyPartExamined="CHEST", PatientName="DOE^JOHN")
    # three bytes are no US
    content = path.read_bytes()
    start = content.index(struct.pack("<HH", 0x28, 0x10) + b"US")
    path.write_bytes(
        content[: start + 6] + b"\x03\x00" + content[start + 8 : start + 10] + b"\0" + content[start + 10 :]
    )
    tags = read_dicom_tags(path)
    assert (tags.Modality, tags.BodyPartExamined, "Rows" in tags) == ("DX", "CHEST", False)
    assert "PatientName" not in tags


def test_sequences_without_end(tmp_path):
    """Sequences in sequences make pydicom raise RecursionError."""
    path = write_dicom(tmp_path / "a.dcm", PICTURE, bits=12)
    begin = struct.pack("<HH2sHLHHL", 0x8, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    content = path.read_bytes()
    position = content.index(struct.pack("<HH2s", 0x20, 0xD, b"UI"))
    path.write_bytes(content[:position] + begin * 3000 + content[position:])
    with pytest.raises(InputError, match=f"^The file {re.escape(str(path))} cannot be read as a DICOM picture"):
        read_picture(path)
    assert read_dicom_tags(path).get("Rows") is None


def test_ctrl_c_is_not_caught(tmp_path, monkeypatch):
    path = write_dicom(tmp_path / "a.dcm", PICTURE, bits=12)

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pydicom, "dcmread", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_picture(path)


@pytest.mark.parametrize(
    ("elements", "spacing", "ignored"),
    [
        ({}, (1, 1), []),
        ({"PixelSpacing": [0.3, 0.4], "ImagerPixelSpacing": [0.2, 0.1]}, (0.3, 0.4), []),
        ({"PixelSpacing": [0, 0]}, (1, 1), ["PixelSpacing"]),
        ({"PixelSpacing": [0.3, 0]}, (1, 1), ["PixelSpacing"]),
        ({"PixelSpacing": [-0.3, 0.3]}, (1, 1), ["PixelSpacing"]),
        ({"PixelSpacing": 0.2}, (1, 1), ["PixelSpacing"]),
        ({"PixelSpacing": [0.2, 0.2, 0.2]}, (1, 1), ["PixelSpacing"]),
        ({"PixelSpacing": ""}, (1, 1), []),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1), ["PixelSpacing"]),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0, 0]}, (1, 1), ["PixelSpacing", "ImagerPixelSpacing"]),
    ],
)
def test_spacing(tmp_path, elements, spacing, ignored):
    picture = read_picture(write_dicom(tmp_path / "a.dcm", PICTURE, bits=12, **elements))
    assert picture.spacing == spacing
    np.testing.assert_allclose(picture.original_affine, np.diag([-spacing[1], -spacing[0], 1, 1]))
    assert picture.notes == " ".join(
        f"{keyword} is not two positive numbers and was ignored (1 mm where nothing else is given)."
        for keyword in ignored
    )


@pytest.mark.parametrize("text", [b"N/A", b"0,2\\0,2", b"nan\\nan", b"inf\\1", b"0.2/0.2", b"\\", b"0.2\\"])
def test_spacing_that_is_no_number(tmp_path, text):
    path = write_dicom(tmp_path / "a.dcm", PICTURE, bits=12, PixelSpacing=["0.3125", "0.3125"])
    picture = read_picture(replace_text(path, b"0.3125\\0.3125", text))
    assert picture.spacing == (1, 1)
    assert picture.notes == (
        "PixelSpacing is not two positive numbers and was ignored (1 mm where nothing else is given)."
    )


@pytest.mark.parametrize(("text", "frames"), [(b"1A", None), (b"2", 2)])
def test_number_of_frames(tmp_path, text, frames):
    path = replace_text(write_dicom(tmp_path / "a.dcm", PICTURE, bits=12, NumberOfFrames="000001"), b"000001", text)
    if frames:
        with pytest.raises(InputError, match=f"holds {frames} frames; one picture per file is needed"):
            read_picture(path)
    else:
        picture = read_picture(path)
        np.testing.assert_allclose(picture.pixels[0], PICTURE / 4095, atol=1e-6)
        assert picture.notes == "NumberOfFrames is not a number and was taken as 1."


def test_notes_and_messages_tell_nothing_of_the_patient(tmp_path):
    name = "DOE^JOHN"
    item = Dataset()
    item.PatientName = name
    path = write_dicom(
        tmp_path / "a.dcm",
        PICTURE,
        bits=12,
        PatientName=name,
        PixelSpacing=[0, 0],
        WindowCenter=1,
        OtherPatientIDsSequence=Sequence([item]),
    )
    picture = read_picture(path)
    assert picture.notes and "DOE" not in picture.notes and "a.dcm" not in picture.notes
