# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipeline.inference import (
    FoundPictures,
    check_pictures,
    find_pictures,
    save_dicom_names,
    summarize,
    why_no_chest_radiograph,
    why_no_picture,
)
from pipeline.transforms import read_picture
from pipeline.utils import InputError, Notes
from tests.transforms.files import write_dicom

ENDINGS = ".png, .jpg, .jpeg, .mpo, .gif, .nii, .nii.gz, .dcm, .dicom, .dic"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def pseudonym(path: Path) -> str:
    return f"dicom_{sha256(path.read_bytes()).hexdigest()[:12]}"


def names(root: Path, output_dir: Path) -> dict[str, str]:
    found = find_pictures(root, output_dir, original_names=True)
    assert all(item["shown"] == item["image"] for item in found.items)
    return {Path(item["image"]).name: item["name"] for item in found.items}


def test_pictures_are_found_in_subfolders_and_others_counted(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.JPG", "sub/deep/c.nii.gz", "sub/d.dcm", "notes.txt", "sub/.hidden.png", ".cache/e.png")
    found = find_pictures(tmp_path, tmp_path / "results", original_names=True)
    assert [(item["image"], item["name"]) for item in found.items] == [
        (str(tmp_path / "a.JPG"), "a"),
        (str(tmp_path / "b.png"), "b"),
        (str(tmp_path / "sub" / "d.dcm"), "sub/d"),
        (str(tmp_path / "sub" / "deep" / "c.nii.gz"), "sub/deep/c"),
    ]
    assert found.skipped == {"hidden files and folders": 2, "other files": 1}
    assert found.ignored == {} and found.failures == []


def test_dicom_files_are_known_by_their_content(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    for name in ("1.2.840.113", "IM0001", "DICOMDIR"):
        write_dicom(tmp_path / name, pixels)
    touch(tmp_path, "README")
    assert names(tmp_path, tmp_path / "results") == {"1.2.840.113": "1.2.840.113", "IM0001": "IM0001"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a.png", "sub/a.png"], {"a", "sub/a"}),
        (["a.png", "a.dcm", "b.png"], {"a.png", "a.dcm", "b"}),
        (["a.dcm", "a.png", "a.dcm.png"], {"a.dcm", "a.png", "a.dcm.png"}),
        (["A.png", "a.dcm"], {"A.png", "a.dcm"}),
        (["a.nii.gz", "a.nii"], {"a.nii.gz", "a.nii"}),
        (["a.b.png", "a.png"], {"a.b", "a"}),
    ],
)
def test_no_two_pictures_share_a_name(files: list[str], expected: set[str], tmp_path: Path) -> None:
    touch(tmp_path, *files)
    items = find_pictures(tmp_path, tmp_path / "results", original_names=True).items
    assert len(items) == len(files)
    assert {item["name"] for item in items} == expected


def test_results_of_an_earlier_run_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "results/a_mask.png", "results/sub/b_overlay.png")
    assert names(tmp_path, tmp_path / "results") == {"a.png": "a"}
    assert names(tmp_path, tmp_path / "sub" / ".." / "results") == {"a.png": "a"}


def test_one_file_may_be_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    found = find_pictures(tmp_path / "a.png", tmp_path)
    path = str(tmp_path / "a.png")
    assert found.items == [{"image": path, "name": "a", "shown": path}] and found.skipped == {}
    check_pictures(found)


def test_names_of_dicom_files_tell_nothing_of_the_patient(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    (tmp_path / "Doe").mkdir()
    for folder, uid in (("", "1.2.3"), ("Doe", "1.2.3"), ("Doe", "1.2.8")):
        write_dicom(tmp_path / folder / f"Jane{uid[-1]}", pixels, SOPInstanceUID=uid)
    write_dicom(tmp_path / "Doe" / "DICOMDIR", pixels)
    pseudonyms = {name: pseudonym(tmp_path / "Doe" / name) for name in ("Jane3", "Jane8")}
    touch(tmp_path, "Doe/damaged.dcm", "Doe/plain.png")
    found = find_pictures(tmp_path, tmp_path / "results")
    # of a copy the same name, with a number
    assert {Path(item["image"]).relative_to(tmp_path).as_posix(): item["name"] for item in found.items} == {
        "Doe/Jane3": pseudonyms["Jane3"],
        "Doe/Jane8": pseudonyms["Jane8"],
        "Jane3": f"{pseudonyms['Jane3']}_2",
        "Doe/damaged.dcm": f"dicom_{sha256(b'').hexdigest()[:12]}",
        "Doe/plain.png": "Doe/plain",
    }
    assert all(item["shown"] == item["name"] for item in found.items if "png" not in item["image"])

    save_dicom_names(found)
    key = tmp_path / "results" / "dicom_names.csv"
    assert key.stat().st_mode & 0o777 == 0o600
    with open(key, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert all({"image": row["file"], "name": row["name"], "shown": row["name"]} in found.items for row in rows)
    # what an earlier run has left there keeps its key
    save_dicom_names(find_pictures(tmp_path / "Doe" / "Jane8", tmp_path / "results"))
    with open(key, newline="") as file:
        assert list(csv.DictReader(file)) == rows
    for plain in (find_pictures(tmp_path, tmp_path / "b", original_names=True), find_pictures(key, tmp_path / "b")):
        save_dicom_names(plain)
        assert not (tmp_path / "b").exists()
    assert find_pictures(tmp_path / "Doe" / "DICOMDIR", tmp_path / "results").root == tmp_path / "Doe"


@pytest.mark.parametrize("original_names", [False, True])
def test_files_of_one_uid_never_take_each_other_s_place(tmp_path: Path, original_names: bool) -> None:
    """Whichever of them are there, and alone or not, results of one are never called as those of another."""
    (tmp_path / "in").mkdir()
    files = [write_dicom(tmp_path / "in" / f"{level}", np.full((4, 4), level, np.uint8)) for level in range(3)]
    seen: dict[str, set[str]] = {}
    for chosen in ([0, 1, 2], [0], [1], [2], [1, 2], [0, 2]):
        (tmp_path / "set").mkdir()
        for index in chosen:
            (tmp_path / "set" / files[index].name).symlink_to(files[index])
        for root in (tmp_path / "set", tmp_path / "set" / str(chosen[-1])):
            for item in find_pictures(root, tmp_path / "out", original_names=original_names).items:
                seen.setdefault(item["name"], set()).add(Path(item["image"]).name)
        shutil.rmtree(tmp_path / "set")
    assert sorted(map(sorted, seen.values())) == [["0"], ["1"], ["2"]]


def test_a_picture_that_is_called_as_a_dicom_file_would_be(tmp_path: Path) -> None:
    file = write_dicom(tmp_path / "a", np.zeros((4, 4), np.uint8))
    name = pseudonym(file)
    touch(tmp_path, f"{name}.png")
    items = find_pictures(tmp_path, tmp_path / "out").items
    assert [(Path(item["image"]).name, item["name"]) for item in items] == [
        ("a", f"{name}_2"),
        (f"{name}.png", name),
    ]


def test_names_of_files_that_are_not_utf_8(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    for number in (1, 2):
        name = os.fsdecode(f"M\xfcller{number}".encode("latin-1"))
        write_dicom(tmp_path / name, pixels, SOPInstanceUID=f"1.2.{number}")
        save_dicom_names(find_pictures(tmp_path / name, tmp_path / "results"))
    content = (tmp_path / "results" / "dicom_names.csv").read_bytes()
    assert content.count(b"/M\xfcller") == 2


def test_a_file_that_cannot_be_opened_is_left_to_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    touch(tmp_path, "Doe.dcm")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    (item,) = find_pictures(tmp_path, tmp_path / "results").items
    assert item["name"] == f"dicom_{sha256(str(tmp_path / 'Doe.dcm').encode()).hexdigest()[:12]}"


def test_dicom_files_that_are_not_wanted_are_counted_by_the_reason(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    wanted = [
        {},
        {"Modality": "CR"},
        {"BodyPartExamined": "Thorax"},
        {"ViewPosition": "AP", "BodyPartExamined": "CHEST"},
    ]
    others = [
        {"Modality": "CT"},
        {"Modality": "CT", "BodyPartExamined": "CHEST"},
        {"Modality": ""},
        {"BodyPartExamined": "HAND"},
        {"ViewPosition": "LL"},
    ]
    for index, tags in enumerate(wanted + others):
        write_dicom(tmp_path / f"{index}", pixels, **tags)
    report = write_dicom(tmp_path / "report", pixels)
    data = pydicom.dcmread(report)
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(data, keyword)
    data.save_as(report)
    touch(tmp_path, "a.png", "damaged.dcm")
    found = find_pictures(tmp_path, tmp_path / "results", why_no_chest_radiograph, original_names=True)
    assert {item["name"] for item in found.items} == {"0", "1", "2", "3", "a", "damaged"}
    assert found.ignored == {
        "modality CT, not CR or DX": 2,
        "modality not given, not CR or DX": 1,
        "body part HAND": 1,
        "view LL": 1,
        "no picture": 1,
    }
    assert len(find_pictures(tmp_path, tmp_path / "results", why_no_picture).items) == 11
    (tmp_path / "ct").mkdir()
    (tmp_path / "4").rename(tmp_path / "ct" / "4")
    with pytest.raises(InputError, match=r"/ct \(DICOM files ignored \(modality CT, not CR or DX\): 1\); it must hold"):
        check_pictures(find_pictures(tmp_path / "ct", tmp_path / "results", why_no_chest_radiograph))


def test_where_nothing_is_to_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "others/notes.txt", "others/scan.tif")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("gone")
    counts = " (other files: 1, pictures of a kind that is not read (.tif): 1)"
    for name, sentence in (
        ("empty", f"no picture in {tmp_path}/empty; it must hold files that are DICOM or end in {ENDINGS}."),
        ("others", f"no picture in {tmp_path}/others{counts}; it must hold files that are DICOM or end in {ENDINGS}."),
        *((name, f"no file or folder {tmp_path}/{name}; name the pictures") for name in ("absent", "pipe", "link")),
    ):
        with pytest.raises(InputError, match=re.escape(f"dataset_dir: there is {sentence}")):
            check_pictures(find_pictures(tmp_path / name, tmp_path / "results"))


def test_linked_folders_are_entered_and_links_that_lead_nowhere_are_pictures_that_fail(tmp_path: Path) -> None:
    """As git-annex and DataLad leave a folder."""
    touch(tmp_path, "in/a.png", "store/b.png", "store/c.dcm")
    for link, target in {
        "linked": "../store",
        "gone.png": "no",
        "gone.dcm": "no",
        "gone.txt": "no",
        "up": "..",
    }.items():
        (tmp_path / "in" / link).symlink_to(target)
    found = find_pictures(tmp_path / "in", tmp_path / "out", why_no_chest_radiograph)
    assert [str(Path(item["image"]).relative_to(tmp_path / "in")) for item in found.items] == [
        "a.png",
        "gone.dcm",
        "gone.png",
        "linked/b.png",
        "linked/c.dcm",
    ]
    assert found.skipped == {"links back to a folder that they lie in": 1, "links that lead nowhere": 1}
    assert [item["name"] for item in found.items if item["image"].endswith("b.png")] == ["linked/b"]
    with pytest.raises(
        InputError, match=r"^The link .*/gone.png leads nowhere; fetch its content \(for example with `git annex get`"
    ):
        read_picture(tmp_path / "in" / "gone.png")


def test_folders_that_cannot_be_opened_are_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "in/a.png", "in/Doe/b.png")
    original = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "Doe":
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    for original_names, which in ((False, f"A folder in {tmp_path}/in"), (True, f"The folder {tmp_path}/in/Doe")):
        found = find_pictures(tmp_path / "in", tmp_path / "out", original_names=original_names)
        sentence = f"{which} cannot be opened (Permission denied); allow it to be read, or take it out."
        assert found.failures == [sentence] and len(found.items) == 1
    (tmp_path / "in" / "a.png").unlink()
    with pytest.raises(InputError, match=r"\.dic\. A folder in .* cannot be opened \(Permission denied\)"):
        check_pictures(find_pictures(tmp_path / "in", tmp_path / "out"))


@pytest.mark.parametrize("output_dir", ["pictures", "."])
def test_results_among_the_pictures_are_refused(output_dir: str, tmp_path: Path) -> None:
    touch(tmp_path, "pictures/a.png")
    with pytest.raises(InputError, match=f"^output_dir: the pictures themselves lie in {tmp_path / output_dir}; name"):
        check_pictures(find_pictures(tmp_path / "pictures", tmp_path / output_dir))


def test_a_folder_for_results_that_cannot_be_made_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    touch(tmp_path, "pictures/a.png", "b.png")
    with pytest.raises(InputError, match=rf"^output_dir: {tmp_path}/b.png/results cannot be written; name another"):
        check_pictures(find_pictures(tmp_path / "pictures", tmp_path / "b.png" / "results"))
    check_pictures(find_pictures(tmp_path / "pictures", tmp_path / "new" / "results"))
    assert not (tmp_path / "new").exists()


FOUND = FoundPictures(Path("pictures"), Path("results"), [{"image": "a"}, {"image": "b"}, {"image": "c"}])


def test_success_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    summarize(FOUND, [])
    assert capsys.readouterr().out == "Pictures segmented: 3 of 3; output folder: results\n"


def test_every_entry_is_in_one_count_and_every_remark_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(FOUND, skipped={"other files": 2}, ignored={"view LATERAL": 1})
    notes = Notes()
    for number, name in enumerate("abc"):
        notes.add(name, f"It has {number} bits.")
    notes.add("d", "Dark.")
    notes.add("\udce9", "")
    summarize(found, [], (), notes, ["a: the mask is empty."], "Not checked.")
    assert capsys.readouterr().out.splitlines() == [
        "note: a: It has 0 bits. There are 3 notes of this kind.",
        "note: d: Dark.",
        "implausible: a: the mask is empty.",
        "Not checked.",
        "DICOM files ignored: 1 (view LATERAL)",
        "skipped: 2 other files",
        "Pictures segmented: 3 of 3; output folder: results",
    ]


def test_failures_raise_after_that_line(capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(FOUND, failures=["The folder d cannot be opened."])
    with pytest.raises(InputError) as error:
        summarize(found, ["The file b is damaged."], ["c has no DICOM SEG."])
    assert str(error.value) == (
        "1 of 3 pictures could not be segmented; 1 folders could not be read; 1 of 3 pictures have no DICOM SEG. The "
        "lines that begin with 'failed' say why."
    )
    assert capsys.readouterr().out.splitlines() == [
        "failed: The folder d cannot be opened.",
        "Pictures segmented: 2 of 3; output folder: results",
    ]


def test_a_name_that_is_no_utf8_is_printed_with_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    summarize(replace(FOUND, output_dir=Path("caf\udce9")), [])
    assert capsys.readouterr().out == "Pictures segmented: 3 of 3; output folder: caf\\udce9\n"
