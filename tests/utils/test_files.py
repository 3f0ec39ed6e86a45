# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import stat
from itertools import product
from pathlib import Path

import pytest

from pipeline.utils import InputError, atomic_path, check_folder, file_name, named_by, why_no_id


def test_writes_the_file_and_makes_its_folder(tmp_path):
    target = tmp_path / "a" / "b" / "file.nii.gz"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["file.nii.gz"]


@pytest.mark.parametrize("stem", ["x" * 240, "1." * 120, "é" * 120])
def test_names_may_be_as_long_as_the_file_system_allows(tmp_path, stem):
    with atomic_path(tmp_path / f"{stem}.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("new")
    assert os.listdir(tmp_path) == [f"{stem}.nii.gz"]


def test_old_file_stays_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with atomic_path(str(target)) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), SystemExit(1)])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(type(error)), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_failure_to_rename(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"), atomic_path(tmp_path / "file.txt") as temporary:
        temporary.write_text("whole")
    assert os.listdir(tmp_path) == []


def test_the_writer_may_have_removed_the_temporary_file(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "file.txt") as temporary:
        temporary.unlink()
    assert os.listdir(tmp_path) == []


def test_content_is_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda *args: (steps.append("fsync"), fsync(*args))[1])
    monkeypatch.setattr(os, "replace", lambda *args: (steps.append("replace"), replace(*args))[1])
    with atomic_path(tmp_path / "file.txt") as temporary:
        temporary.write_text("whole")
    assert steps == ["fsync", "replace"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "file.txt") as temporary:
            temporary.write_text("whole")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == mode


def test_check_folder_makes_it_and_leaves_nothing_in_it(tmp_path):
    check_folder(tmp_path / "a" / "b", "ckpt_dir")
    assert (tmp_path / "a" / "b").is_dir() and not list((tmp_path / "a" / "b").iterdir())


def test_check_folder_names_what_cannot_be_one(tmp_path):
    (tmp_path / "file").touch()
    for path, reason in ((tmp_path / "file", "File exists"), (tmp_path / "file" / "a", "Not a directory")):
        with pytest.raises(InputError) as error:
            check_folder(path, "ckpt_dir")
        assert str(error.value) == f"ckpt_dir: {path} cannot be written ({reason}); name another folder."


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
        ("a\tb", "contains control characters or line breaks"),
        ("a\0", "contains control characters or line breaks"),
        ("a\x85b", "contains control characters or line breaks"),
        ("a\u2028b", "contains control characters or line breaks"),
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
