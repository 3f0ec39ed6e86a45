# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.transforms import is_picture, is_unread_picture, list_folder, missing_file, picture_name

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
    assert missing_file(tmp_path / "pipe") == f"{tmp_path}/pipe is not a file but a pipe or a device."
    assert missing_file(tmp_path / "a") == f"The file {tmp_path}/a does not exist."


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(root: Path, *leave_out: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in list_folder(root, leave_out).files]


def test_every_entry_is_in_one_count(tmp_path: Path) -> None:
    """A folder of each kind of entry: what walks it without following links counts as many."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    touch(root, "a.png", "sub/b.dcm", "notes.txt", ".hidden", ".git/c.png", "sub/DICOMDIR")
    touch(elsewhere, "d.png", "deep/e.png", ".f")
    os.mkfifo(root / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s"))
    for link, target in {
        "linked": elsewhere,
        "again": elsewhere,
        "deep": elsewhere / "deep",
        "inner": root / "sub",
        "sub/up": root,
        "sub/above": tmp_path,
        "same.png": root / "a.png",
        "gone.png": tmp_path / "no",
        "gone": tmp_path / "no",
        "circle": root / "circle",
    }.items():
        (root / link).symlink_to(target)
    content = list_folder(root)
    assert [str(path.relative_to(root)) for path in content.files] == [
        "a.png",
        "again/d.png",
        "again/deep/e.png",
        "gone.png",
        "notes.txt",
        "same.png",
        "sub/b.dcm",
    ]
    assert content.skipped == {
        "hidden files and folders": 3,
        "DICOMDIR files": 1,
        "pipes, sockets and devices": 2,
        "links that lead nowhere": 2,
        "links back to a folder that they lie in": 2,
        # by its own name, or by that of the first link
        "folders entered already by another name": 3,
    }
    assert content.closed == {}


def test_folders_beside_each_other_may_link_to_each_other(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "b").symlink_to("../b")
    (tmp_path / "b" / "a").symlink_to("../a")
    assert names(tmp_path) == ["a/1.png", "b/2.png"]
    assert names(tmp_path / "a") == ["1.png", "b/2.png"]


def test_a_link_into_the_folder_above_what_was_linked(tmp_path: Path) -> None:
    """The folder's own parent, reached by a way outside, would bring everything beside it."""
    touch(tmp_path, "set/root/a.png", "set/other.png", "far/b.png")
    (tmp_path / "set" / "root" / "far").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "set").symlink_to(tmp_path / "set")
    assert names(tmp_path / "set" / "root") == ["a.png", "far/b.png"]


def test_a_root_that_is_a_link(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.png", "real/sub/b.png")
    (tmp_path / "root").symlink_to("real")
    assert names(tmp_path / "root") == ["a.png", "sub/b.png"]


def test_what_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "root/a.png", "root/out/b.png", "root/out/sub/c.png", "root/z/d.png")
    (tmp_path / "root" / "link.png").symlink_to("out/b.png")
    (tmp_path / "root" / "results").symlink_to("out")
    root = tmp_path / "root"
    assert names(root, root / "z" / ".." / "out") == ["a.png", "z/d.png"]
    assert names(root, root / "results", root / "absent") == ["a.png", "z/d.png"]
    assert list_folder(root, [root / "out"]).skipped == {}
    # but not all of it
    assert names(root / "z", root / "z", root) == ["d.png"]


def test_folders_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "closed/b.png", "open/c.png")
    original = os.listdir

    def refuse(path: str) -> list[str]:
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", path)
        return original(path)

    monkeypatch.setattr(os, "listdir", refuse)
    monkeypatch.setattr(Path, "iterdir", lambda path: (path / name for name in os.listdir(path)))
    content = list_folder(tmp_path)
    assert [path.name for path in content.files] == ["a.png", "c.png"]
    assert content.closed == {tmp_path / "closed": "Permission denied"}


def test_entries_that_cannot_be_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder that may be listed and not entered."""
    touch(tmp_path, "a.png", "b")
    original = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    content = list_folder(tmp_path)
    assert content.files == [tmp_path / "a.png"] and content.closed == {tmp_path / "b": "Permission denied"}
