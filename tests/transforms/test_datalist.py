# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import re
import shutil
import unicodedata
from pathlib import Path

import pytest

from pipeline.transforms import datalist_fingerprint, load_datalist
from pipeline.utils import InputError

from .files import fails


def entry(name):
    return {"id": name, "image": f"images/{name}.png", "label": f"masks/{name}.png"}


@pytest.fixture
def folder(tmp_path):
    """A prepared folder with a, b, c for training and d, e for the test."""
    root = tmp_path / "set"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
        for name in "abcde":
            (root / kind / f"{name}.png").write_text(f"{kind} {name}")
    write(root, training=[entry(name) for name in "abc"], test=[entry(name) for name in "de"])
    return root


def write(root, **content):
    (root / "datalist.json").write_text(json.dumps(content))


def test_paths_are_absolute_and_other_keys_stay(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    entries = load_datalist("set/datalist.json", "test")
    assert entries == [
        {"id": name, "image": str(folder / f"images/{name}.png"), "label": str(folder / f"masks/{name}.png")}
        for name in "de"
    ]


def test_absolute_names(folder, tmp_path):
    absolute = {key: str(folder / value) for key, value in entry("a").items() if key != "id"}
    (tmp_path / "list.json").write_text(json.dumps({"training": [absolute]}))
    assert load_datalist(tmp_path / "list.json", "training") == [{"id": "a", **absolute}]


def test_absent_list_says_how_to_prepare_the_data(tmp_path):
    path = tmp_path / "jsrt" / "datalist.json"
    with pytest.raises(InputError) as caught:
        load_datalist(path, "training")
    for command in ("pairs", "jsrt", "isbi2016", "phantoms"):
        assert f"`python -m data_prep {command} " in str(caught.value)
    assert str(caught.value).count(f"--output {path.parent}`") == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"training": [entry("a")]}, "The data list {path} has no section 'test'; it has 'training'."),
        ({}, "The data list {path} has no section 'test'; it has none."),
        (
            {"training": [entry("a")], "test": []},
            "The section 'test' of the data list {path} is empty; prepare the data again.",
        ),
        (
            {"test": [{"image": "images/a.png"}]},
            "Every entry of 'test' in the data list {path} must name an 'image' and a 'label', got "
            "{{'image': 'images/a.png'}}.",
        ),
        (
            {"test": {"image": "images/a.png"}},
            "The data list {path} must be a JSON object with lists of entries under ('training', 'test').",
        ),
        ([], "The data list {path} must be a JSON object with lists of entries under ('training', 'test')."),
        (
            {"training": [entry("a"), entry("b"), entry("c")], "test": [entry("c"), {**entry("b"), "id": "other"}]},
            "The data list {path} has pictures in 'training' as well as in 'test' (2, the first is "
            "{folder}/images/b.png).",
        ),
    ],
)
def test_bad_content(folder, content, message):
    path = folder / "datalist.json"
    path.write_text(json.dumps(content))
    with fails(message.format(path=path, folder=folder)):
        load_datalist(path, "test")


@pytest.mark.parametrize("text", ["{", "[" * 100000, "\ufeff{}"])
def test_not_json(folder, text):
    (folder / "datalist.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"^The data list {folder}/datalist.json cannot be read as JSON"):
        load_datalist(folder / "datalist.json", "test")


def test_files_that_are_gone(folder):
    (folder / "masks/a.png").unlink()
    (folder / "images/c.png").unlink()
    with fails(
        f"The data list {folder}/datalist.json names files that do not exist (2, the first is {folder}/masks/a.png); "
        "prepare the data again or correct the list."
    ):
        load_datalist(folder / "datalist.json", "training")
    assert len(load_datalist(folder / "datalist.json", "test")) == 2


def test_fingerprint_follows_the_data_and_not_the_place(folder, tmp_path):
    path = folder / "datalist.json"
    original = datalist_fingerprint(path)
    assert re.fullmatch("[0-9a-f]{64}", original)
    shutil.copytree(folder, tmp_path / "copy")
    assert datalist_fingerprint(tmp_path / "copy" / "datalist.json") == original

    seen = {original}
    (folder / "masks/e.png").write_text("masks f")
    seen.add(datalist_fingerprint(path))
    (folder / "masks/e.png").write_text("masks e")
    assert datalist_fingerprint(path) == original
    for training, test in (("acb", "de"), ("abcd", "e"), ("ab", "de"), ("abd", "ce")):
        write(folder, training=[entry(name) for name in training], test=[entry(name) for name in test])
        seen.add(datalist_fingerprint(path))
    assert len(seen) == 6


def test_fingerprint_of_a_list_whose_files_are_gone(folder):
    (folder / "masks/e.png").unlink()
    with pytest.raises(InputError, match=f"^The file {folder}/masks/e.png of the data list"):
        datalist_fingerprint(folder / "datalist.json")


@pytest.mark.parametrize("name", ["1.2.840.7.dcm", "1.2.840.7.nii.gz", "1.2.840.7.png"])
def test_an_image_without_an_id_is_called_by_its_name(tmp_path: Path, name: str) -> None:
    for file in (name, "mask.png"):
        (tmp_path / file).touch()
    (tmp_path / "list.json").write_text(json.dumps({"test": [{"image": name, "label": "mask.png"}]}))
    assert load_datalist(tmp_path / "list.json", "test")[0]["id"] == "1.2.840.7"


def test_two_images_of_one_name(tmp_path: Path) -> None:
    entries = [{"id": "a", "image": f"{n}.png", "label": "mask.png"} for n in (1, 2)]
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"test": entries}))
    with fails(
        f"The section 'test' of the data list {path} has several entries with the id 'a'; give each image its own."
    ):
        load_datalist(path, "test")


def write_entry(folder, **changes):
    """A list whose second entry for the test is changed."""
    write(folder, training=[entry("a")], test=[entry("d"), {**entry("e"), **changes}])
    return folder / "datalist.json"


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        (None, "None", "is not text"),
        (True, "True", "is not text"),
        (1.5, "1.5", "is not text"),
        (["e"], "['e']", "is not text"),
        ({}, "{}", "is not text"),
        ("", "''", "is empty"),
        ("  ", "'  '", "is empty"),
        ("a\nb", "'a\\nb'", "contains control characters or line breaks"),
        ("\ud800", "'\\ud800'", "is not valid Unicode"),
        ("x" * 250, "'" + "x" * 79 + "…", "takes 250 bytes as the name of a file, more than 200"),
        ("/" * 100, "'" + "/" * 79 + "…", "takes 300 bytes as the name of a file, more than 200"),
    ],
)
@pytest.mark.parametrize("section", ["training", "test"])
def test_ids_that_cannot_be_one(folder, name, shown, why, section):
    """Whichever section is asked for, so that a training does not end after its last epoch."""
    path = write_entry(folder, id=name)
    with fails(f"Entry 2 of 'test' in the data list {path} has the 'id' {shown}, which {why}; give it another 'id'."):
        load_datalist(path, section)


@pytest.mark.parametrize(("name", "expected"), [("../../../x", "../../../x"), (12, "12"), (0, "0"), ("x" * 200, None)])
def test_ids_that_can_be_one(folder, name, expected):
    assert load_datalist(write_entry(folder, id=name), "test")[1]["id"] == (expected or name)


def test_an_image_whose_name_cannot_be_an_id(folder):
    name = "x" * 220
    (folder / f"{name}.png").touch()
    write(folder, test=[{"image": f"{name}.png", "label": "masks/a.png"}])
    with fails(
        f"Entry 1 of 'test' in the data list {folder}/datalist.json is called '{'x' * 79}… by its image, which takes "
        "220 bytes as the name of a file, more than 200; give it another 'id'."
    ):
        load_datalist(folder / "datalist.json", "test")


@pytest.mark.parametrize("names", [(7, "7"), ("\u00e9", "e\u0301")])
def test_ids_that_are_the_same_in_a_table(folder, names):
    write(folder, test=[{**entry(file), "id": name} for file, name in zip("de", names, strict=True)])
    with fails(
        f"The section 'test' of the data list {folder}/datalist.json has several entries with the id "
        f"'{unicodedata.normalize('NFC', str(names[0]))}'; give each image its own."
    ):
        load_datalist(folder / "datalist.json", "test")


@pytest.mark.parametrize("key", ["image", "label"])
@pytest.mark.parametrize("value", [None, "", "  ", 3, ["images/e.png"], "a\0.png", "\ud800.png", {}])
def test_what_cannot_name_a_file(folder, key, value):
    path = write_entry(folder, **{key: value})
    with fails(
        f"Every entry of 'test' in the data list {path} must name an 'image' and a 'label', got "
        f"{ {**entry('e'), key: value}!r}."
    ):
        load_datalist(path, "training")


@pytest.mark.parametrize("value", ["images/e.png", 3, None, ["image", "label"]])
def test_entries_that_are_no_objects(folder, value):
    write(folder, training=[entry("a")], test=[value])
    with fails(
        f"Every entry of 'test' in the data list {folder}/datalist.json must name an 'image' and a 'label', got "
        f"{value!r}."
    ):
        load_datalist(folder / "datalist.json", "training")


def test_what_is_no_file(folder):
    path = write_entry(folder, image="images")
    start = f"The data list {path} names entries that cannot be read as files (1, here is the first). "
    with fails(f"{start}{folder}/images is a folder, where a file is needed; name the file itself."):
        load_datalist(path, "test")
    (folder / "gone.png").symlink_to("no")
    with pytest.raises(InputError, match=f"^{re.escape(start)}The link {folder}/gone.png leads nowhere; fetch"):
        load_datalist(write_entry(folder, image="gone.png"), "test")
    os.mkfifo(folder / "pipe.png")
    with fails(f"{start}{folder}/pipe.png is not a file but a pipe or a device."):
        load_datalist(write_entry(folder, label="pipe.png"), "test")


def test_a_name_that_is_too_long_for_the_file_system(folder):
    path = write_entry(folder, image="x" * 300 + ".png")
    with pytest.raises(InputError, match=r"names files that do not exist \(1, the first is "):
        load_datalist(path, "test")


@pytest.mark.parametrize("link", [os.symlink, os.link, None])
def test_one_pair_twice_in_a_section(folder, link):
    other = "images/../images/d.png"
    if link is not None:
        other = "other.png"
        link(folder / "images/d.png", folder / other)
    path = write_entry(folder, image=other, label="masks/d.png")
    with fails(
        f"The section 'test' of the data list {path} has one pair of files twice, as 'd' and as 'e': "
        f"{folder}/images/d.png and {folder}/{other} are one file; take one entry out."
    ):
        load_datalist(path, "test")


def test_one_picture_may_have_the_masks_of_two_readers(folder):
    assert len(load_datalist(write_entry(folder, image="images/d.png"), "test")) == 2


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_picture_of_both_sections_by_a_link(folder, link):
    link(folder / "images/a.png", folder / "other.png")
    with fails(
        f"The data list {folder}/datalist.json has pictures in 'training' as well as in 'test' (1, the first is "
        f"{folder}/images/a.png)."
    ):
        load_datalist(write_entry(folder, image="other.png"), "test")


def test_one_mask_may_serve_two_pictures(folder):
    assert len(load_datalist(write_entry(folder, label="masks/d.png"), "test")) == 2


@pytest.mark.parametrize(("written", "listed"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accented_names_of_another_system(folder, written, listed):
    on_disk, in_list = (unicodedata.normalize(form, "M\u00fcller/\u00e9.png") for form in (written, listed))
    (folder / on_disk).parent.mkdir()
    shutil.copy(folder / "images/e.png", folder / on_disk)
    path = write_entry(folder, image=in_list)
    assert load_datalist(path, "test")[1]["image"] == str(folder / on_disk)
    assert re.fullmatch("[0-9a-f]{64}", datalist_fingerprint(path))
