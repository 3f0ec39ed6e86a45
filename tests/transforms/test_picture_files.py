# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.transforms import is_picture, picture_name

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
