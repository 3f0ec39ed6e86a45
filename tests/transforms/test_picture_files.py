# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.transforms import is_picture, is_unread_picture, missing_file, picture_name

DICOM = bytes(128) + b"DICM"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.PNG", b"", True),
        ("a.nii.gz", b"", True),
        ("1.2.840.113", DICOM, True),
        ("1.2.840.113", b"text", False),
        ("notes.txt", b"text", False),
        ("DICOMDIR", DICOM, False),
        (".a.png", b"", False),
    ],
)
def test_is_picture(tmp_path: Path, name: str, content: bytes, expected: bool) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert is_picture(path) is expected


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.b.png", "a.b"),
        ("a.nii.gz", "a"),
        ("a.NII", "a"),
        ("1.2.840.113", "1.2.840.113"),
        ("1.2.840.7.dcm", "1.2.840.7"),
    ],
)
def test_picture_name(file: str, name: str) -> None:
    assert picture_name(Path("folder") / file) == name


@pytest.mark.parametrize(
    ("name", "expected"), [("a.tif", True), ("a.b.TIFF", True), ("a.webp", True), ("a.png", False), ("tif", False)]
)
def test_pictures_of_other_kinds_are_known_by_their_endings(name: str, expected: bool) -> None:
    assert is_unread_picture(Path("folder") / name) is expected


def test_what_is_said_of_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "circle"):
        assert missing_file(tmp_path / name) == (
            f"The link {tmp_path}/{name} leads nowhere; fetch its content (for example with `git annex get` or "
            "`datalad get`), or take it out."
        )
    assert missing_file(tmp_path) == f"{tmp_path} is a folder, where a file is needed; name the file itself."
    assert missing_file(tmp_path / "pipe") == f"{tmp_path}/pipe is no file, but a pipe or a device."
    assert missing_file(tmp_path / "a") == f"The file {tmp_path}/a does not exist."
