# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest

from pipeline.utils import atomic_path, file_name, named_by, why_no_id

AWKWARD = ["a", ".", "/", "\\", "%", "=", "2", "F", "#", "?", "\0", "\n", "\x7f", "é", " "]


def test_different_ids_have_different_names_of_which_they_come_back() -> None:
    ids = ["".join(letters) for length in (1, 2, 3) for letters in product(AWKWARD, repeat=length)]
    names = [file_name(each) for each in ids]
    assert len(set(names)) == len(ids)
    assert [named_by(name) for name in names] == ids
    # one part of a path, not hidden, and nothing that an address would take for its own
    assert not any(set(name) & set("/\\\0\n#?%") or name.startswith(".") for name in names)


def test_names_stay_in_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "pictures"
    for each in ("../../../x", "/etc/x", "..", ".", "~/x", "..\\x", "patient1/x", "%2e%2e/x"):
        with atomic_path(folder / f"{file_name(each)}.npz") as path:
            path.touch()
    assert {path.parent for path in tmp_path.rglob("*.npz")} == {folder}
    assert len(list(folder.iterdir())) == 8


def test_plain_names_stay_as_they_are() -> None:
    for each in ("JPCLN001", "1.2.840.113", "ISIC_0000000", "Müller 2", "a+b (1)"):
        assert file_name(each) == each
    assert file_name("patient1/x") == "patient1=2Fx"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        (" \u3000", "is empty"),
        ("a\tb", "has control characters or ends of lines in it"),
        ("a\0", "has control characters or ends of lines in it"),
        ("a\x85b", "has control characters or ends of lines in it"),
        ("a\u2028b", "has control characters or ends of lines in it"),
        ("a\ud800", "is not valid Unicode"),
        (os.fsdecode(b"M\xfcller"), "is not valid Unicode"),
        ("x" * 201, "takes 201 bytes as the name of a file, more than 200"),
        ("é" * 101, "takes 202 bytes as the name of a file, more than 200"),
        ("/" * 67, "takes 201 bytes as the name of a file, more than 200"),
    ],
)
def test_what_cannot_be_an_id(name: str, why: str) -> None:
    assert why_no_id(name) == why


@pytest.mark.parametrize("name", ["a", "../x", "x" * 200, "é" * 100, "/" * 66, "Müller 2", "0"])
def test_what_can_be_an_id(tmp_path: Path, name: str) -> None:
    assert why_no_id(name) == ""
    with atomic_path(tmp_path / f"panel_{file_name(name)}_mask.nii.gz") as path:
        path.touch()
