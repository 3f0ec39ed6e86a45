# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from data_prep import jsrt
from data_prep.__main__ import main
from data_prep.jsrt import JSRT_NAMES, film_to_picture, prepare_jsrt
from pipeline.transforms import load_datalist, read_mask, read_picture
from pipeline.utils import InputError
from tests.data_prep import errors
from tests.transforms.files import fails

NAMES = ("JPCLN001", "JPCLN002", "JPCLN003", "JPCNN001", "JPCNN002")
IMAGE, MASK = (16, 24), (8, 12)


def film(index, shape=IMAGE):
    return np.random.default_rng(index).integers(0, 4096, shape)


def lung(side, shape=MASK):
    """The patient's right lung lies in the left half of the picture."""
    mask = np.zeros(shape, np.uint8)
    rows, columns = shape
    if side == "right lung":
        mask[2 : rows - 1, 1 : columns // 2 - 1] = 255
    else:
        mask[1 : rows - 3, columns // 2 + 1 : columns - 2] = 255
    return mask


def mask_path(folder, name, side, layout="folds"):
    if layout == "folds":
        fold = 1 if NAMES.index(name) % 2 == 0 else 2
        return folder / f"fold{fold}" / "masks" / side / f"{name}.gif"
    side = side.replace(" ", "_")
    return folder / side / f"{name}.gif" if layout == "folders" else folder / f"{name.lower()}_{side}.PNG"


def save_mask(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


@pytest.fixture
def delivered(tmp_path):
    """A small JSRT as it is delivered: images and masks."""
    (tmp_path / "images").mkdir()
    for index, name in enumerate(NAMES):
        film(index).astype(">u2").tofile(tmp_path / "images" / f"{name}.IMG")
        for side in ("left lung", "right lung", "heart"):
            save_mask(mask_path(tmp_path / "masks", name, side), lung(side))
    return tmp_path


def prepare(folder, masks="masks"):
    return prepare_jsrt(folder / "images", folder / masks, folder / "out", NAMES, IMAGE, MASK)


def fails_with(folder, *lines, masks="masks"):
    errors.fails_with(partial(prepare, folder, masks), folder / "out", *lines)


def test_names():
    assert len(JSRT_NAMES) == len(set(JSRT_NAMES)) == 247
    assert (JSRT_NAMES[0], JSRT_NAMES[153], JSRT_NAMES[154], JSRT_NAMES[246]) == (
        "JPCLN001",
        "JPCLN154",
        "JPCNN001",
        "JPCNN093",
    )


def test_every_grey_level_survives_the_file(tmp_path):
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(film_to_picture(values)).save(tmp_path / "a.png")
    pixels = read_picture(tmp_path / "a.png").pixels[0].astype(np.float64)
    np.testing.assert_allclose(pixels, (4095 - values) / 4095, atol=0.5 / 65535)
    np.testing.assert_array_equal(4095 - np.round(pixels * 4095), values)


def test_pictures_masks_and_folds(delivered):
    assert prepare(delivered) == (
        f"3 training and 2 test pairs in {delivered}/out/datalist.json (10 files written, 0 were there already)."
    )
    training, test = (load_datalist(delivered / "out/datalist.json", section) for section in ("training", "test"))
    assert [entry["id"] for entry in training] == ["JPCLN001", "JPCLN003", "JPCNN002"]
    assert [entry["id"] for entry in test] == ["JPCLN002", "JPCNN001"]
    both = lung("left lung") + lung("right lung") > 0
    for entry in training + test:
        values = film(NAMES.index(entry["id"]))
        np.testing.assert_allclose(read_picture(entry["image"]).pixels[0], (4095 - values) / 4095, atol=1e-5)
        np.testing.assert_array_equal(read_mask(entry["label"]).pixels[0], np.kron(both, np.ones((2, 2))))


@pytest.mark.parametrize("layout", ["folders", "files"])
def test_masks_without_folds_are_split_odd_even(delivered, layout):
    for name in NAMES:
        for side in ("left lung", "right lung", "heart"):
            save_mask(mask_path(delivered / "flat", name, side, layout), lung(side))
    prepare(delivered, masks="flat")
    flat = json.loads((delivered / "out/datalist.json").read_text())
    prepare(delivered)
    assert flat == json.loads((delivered / "out/datalist.json").read_text())


def test_endings_and_folders_of_other_copies(delivered):
    """Small letters, images in sub-folders, and the hidden files that macOS leaves."""
    (delivered / "images" / "Nodule154images").mkdir()
    shutil.move(delivered / "images/JPCLN001.IMG", delivered / "images/Nodule154images/jpcln001.img")
    (delivered / "images" / "._JPCLN002.IMG").touch()
    assert prepare(delivered).startswith("3 training and 2 test pairs")


def test_what_is_not_of_the_set_is_counted(delivered, capsys):
    images, masks = delivered / "images", delivered / "masks"
    (images / "Clinical.txt").touch()
    (masks / "fold1" / "notes.csv").touch()
    (images / "gone").symlink_to("no")
    save_mask(masks / "left lung" / "JPCLN154.gif", lung("left lung"))
    prepare(delivered)
    # five hearts and a lung of no picture here
    assert capsys.readouterr().out == (
        "left out: links that lead nowhere: 1, masks of other parts or pictures: 6, other files (.csv): 1, other files "
        "(.txt): 1\n"
    )


def test_linked_folders_are_entered(delivered):
    shutil.move(delivered / "masks" / "fold1", delivered / "elsewhere")
    (delivered / "masks" / "fold1").symlink_to("../elsewhere")
    shutil.move(delivered / "images", delivered / "films")
    (delivered / "images").mkdir()
    (delivered / "images" / "linked").symlink_to("../films")
    prepare(delivered)
    training = load_datalist(delivered / "out/datalist.json", "training")
    assert [entry["id"] for entry in training] == ["JPCLN001", "JPCLN003", "JPCNN002"]


@pytest.mark.parametrize("reader", ["read_jsrt_image", "read_mask"])
def test_whatever_one_file_does_the_others_are_checked(delivered, monkeypatch, reader):
    original = getattr(jsrt, reader)

    def spoilt(path, *arguments):
        if path.stem == "JPCLN002":
            raise ZeroDivisionError("by 0")
        return original(path, *arguments)

    monkeypatch.setattr(jsrt, reader, spoilt)
    (delivered / "images/JPCNN002.IMG").write_bytes(b"")
    left = mask_path(delivered / "masks", "JPCLN002", "left lung")
    path = delivered / "images/JPCLN002.IMG" if reader == "read_jsrt_image" else left
    fails_with(
        delivered,
        f"The file {path} cannot be read (ZeroDivisionError: by 0); copy it again, or take it out.",
        f"The file {delivered}/images/JPCNN002.IMG is truncated: 0 bytes, and it must have 768.",
    )


def test_the_folds_of_the_masks_are_taken_whatever_they_are(delivered):
    for side in ("left lung", "right lung"):
        target = delivered / "masks" / "fold2" / "masks" / side / "JPCLN001.gif"
        shutil.move(mask_path(delivered / "masks", "JPCLN001", side), target)
    prepare(delivered)
    test = load_datalist(delivered / "out/datalist.json", "test")
    assert [entry["id"] for entry in test] == ["JPCLN001", "JPCLN002", "JPCNN001"]


def test_masks_of_which_some_lie_outside_of_the_folds(delivered):
    for side in ("left lung", "right lung"):
        (delivered / "masks" / side).mkdir()
        shutil.move(mask_path(delivered / "masks", "JPCLN003", side), delivered / "masks" / side)
    fails_with(
        delivered,
        f"2 of 10 masks lie outside fold1 and fold2, which say what is for training and what for the test (the first "
        f"is {delivered}/masks/left lung/JPCLN003.gif); move them into these folders, or all masks out of them.",
    )


def test_one_line_for_each_wrong_file(delivered):
    images, masks = delivered / "images", delivered / "masks"
    with open(images / "JPCLN001.IMG", "r+b") as file:
        file.truncate(700)
    (images / "JPCLN002.IMG").write_bytes((images / "JPCLN002.IMG").read_bytes() + b"\0")
    (images / "JPCLN003.IMG").unlink()
    film(3).astype("<u2").tofile(images / "JPCNN001.IMG")
    lost = mask_path(masks, "JPCNN002", "left lung")
    lost.unlink()
    greatest = film(3).astype("<u2").view(">u2").max()
    fails_with(
        delivered,
        f"The picture JPCLN003.IMG is missing in {images}.",
        f"The left lung mask of JPCNN002 is missing in {masks}.",
        f"The file {images}/JPCLN001.IMG is truncated: 700 bytes, and it must have 768.",
        f"The file {images}/JPCLN002.IMG is too long: 769 bytes, and it must have 768.",
        f"The file {images}/JPCNN001.IMG holds the value {greatest}, and JSRT has 12 bits (0 to 4095); it is damaged "
        "or not big-endian.",
    )


def spoilt_masks():
    left, right = lung("left lung"), lung("right lung")
    wide = np.zeros((8, 14), np.uint8)
    wide[2:4, 8:10] = 255
    return {
        "swapped": (
            right,
            left,
            "The masks {left} and {right} are swapped or mirrored: the patient's left lung must lie to the right of "
            "the right lung in the picture.",
        ),
        "overlap": (left, right | left, "The masks {left} and {right} overlap in 12 pixels."),
        "empty": (left * 0, right, "The mask {left} is empty; every JSRT picture shows both lungs."),
        "empty right": (left, right * 0, "The mask {right} is empty; every JSRT picture shows both lungs."),
        "full": (left * 0 + 255, right, "The mask {left} is all lung; it is damaged."),
        "size": (wide, right, "The mask {left} has 8 × 14 pixels (rows × columns), and it must have 8 × 12."),
    }


@pytest.mark.parametrize("what", spoilt_masks())
def test_wrong_masks(delivered, what):
    left, right, message = spoilt_masks()[what]
    paths = {side: mask_path(delivered / "masks", "JPCLN002", f"{side} lung") for side in ("left", "right")}
    save_mask(paths["left"], left)
    save_mask(paths["right"], right)
    fails_with(delivered, message.format(**paths))


def test_mask_that_cannot_be_read(delivered):
    path = mask_path(delivered / "masks", "JPCNN001", "right lung")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match=f"^The file {path} cannot be read as a picture"):
        prepare(delivered)


def test_doubled_and_foreign_files(delivered):
    images, masks = delivered / "images", delivered / "masks"
    (images / "more").mkdir()
    shutil.copy(images / "JPCLN001.IMG", images / "more" / "JPCLN001.img")
    shutil.copy(images / "JPCLN001.IMG", images / "JPCLN999.IMG")
    left, right = (mask_path(masks, "JPCLN002", side) for side in ("left lung", "right lung"))
    other = masks / "fold1" / "masks" / "right lung" / "JPCLN002.gif"
    shutil.copy(right, other)
    split = masks / "fold2" / "masks" / "left lung" / "JPCLN003.gif"
    shutil.move(mask_path(masks, "JPCLN003", "left lung"), split)
    fails_with(
        delivered,
        f"The file {images}/JPCLN999.IMG is not one of JSRT's pictures; take it out of the folder.",
        f"The picture JPCLN001 exists twice: {images}/JPCLN001.IMG and {images}/more/JPCLN001.img.",
        f"The right lung mask of JPCLN002 exists twice: {other} and {right}.",
        f"The two lung masks of JPCLN002 are in different folds: {left}.",
        f"The two lung masks of JPCLN003 are in different folds: {split}.",
    )


def test_wrong_files_take_an_old_list_away_only_if_something_changed(delivered):
    prepare(delivered)
    shutil.copy(delivered / "out/datalist.json", delivered / "old.json")
    mask_path(delivered / "masks", "JPCNN002", "left lung").unlink()
    with pytest.raises(InputError):
        prepare(delivered)
    assert (delivered / "out/datalist.json").read_text() == (delivered / "old.json").read_text()


def test_interrupted_run_goes_on(delivered, monkeypatch):
    original = jsrt.read_jsrt_image

    def interrupted(path, shape):
        if path.stem == "JPCLN003":
            raise KeyboardInterrupt
        return original(path, shape)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(jsrt, "read_jsrt_image", interrupted)
        prepare(delivered)
    assert not (delivered / "out/datalist.json").exists()
    assert prepare(delivered).endswith("(6 files written, 4 were there already).")


def test_folder_that_is_absent(tmp_path, capsys):
    command = ["jsrt", "--images", str(tmp_path), "--masks", str(tmp_path / "no"), "--output", str(tmp_path / "out")]
    assert main(command) == 1
    assert capsys.readouterr().err == f"error: The folder {tmp_path}/no does not exist.\n"


def test_file_in_the_place_of_a_folder(delivered):
    (delivered / "notes.txt").touch()
    with fails(f"{delivered}/notes.txt is no folder."):
        prepare(delivered, masks="notes.txt")


def test_command_asks_for_all_247_pictures(delivered, capsys):
    command = ["jsrt", "--images", "images", "--masks", "masks", "--output", "out"]
    for position in (2, 4, 6):
        command[position] = str(delivered / command[position])
    assert main(command) == 1
    lines = capsys.readouterr().err.splitlines()
    # pictures and lungs that are missing, and the five pictures that are too small
    assert sum("is missing in" in line for line in lines) == 242 + 2 * 242
    assert sum("is truncated" in line for line in lines) == 5


def test_full_size(tmp_path):
    """One picture of the true size: bytes in, picture and mask out."""
    shape = (2048, 2048)
    values = (np.add.outer(np.arange(2048) * 3, np.arange(2048)) % 4096).astype(">u2")
    (tmp_path / "images").mkdir()
    for name in ("JPCLN001", "JPCLN002"):
        values.tofile(tmp_path / "images" / f"{name}.IMG")
        for side in ("left lung", "right lung"):
            save_mask(tmp_path / "masks" / side / f"{name}.gif", lung(side, (1024, 1024)))
    prepare_jsrt(tmp_path / "images", tmp_path / "masks", tmp_path / "out", ("JPCLN001", "JPCLN002"))
    (entry,) = load_datalist(tmp_path / "out/datalist.json", "training")
    pixels = read_picture(entry["image"]).pixels[0]
    np.testing.assert_array_equal(4095 - np.round(pixels.astype(np.float64) * 4095), values)
    mask = read_mask(entry["label"]).pixels[0]
    assert mask.shape == shape
    assert (
        mask.sum() == 4 * (lung("left lung", (1024, 1024)) > 0).sum() + 4 * (lung("right lung", (1024, 1024)) > 0).sum()
    )
