# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import shutil
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import Resize
from PIL import Image
from scipy.ndimage import zoom

from data_prep import isbi2016
from data_prep.__main__ import main
from data_prep.isbi2016 import PAIRS, prepare_isbi2016
from data_prep.resize import resize_mask, resize_picture
from pipeline.transforms import load_datalist
from pipeline.utils import InputError
from tests.data_prep import errors

TRAIN = Path(__file__).parents[2] / "bundles" / "nlcen_jsrt" / "configs" / "train.json"
TRAINING_IMAGES, TRAINING_MASKS, TEST_IMAGES, TEST_MASKS = FOLDERS = [
    f"ISBI2016_ISIC_Part1_{part}_{kind}" for part in ("Training", "Test") for kind in ("Data", "GroundTruth")
]
TRAINING, TEST = ("ISIC_0000000", "ISIC_0000002", "ISIC_0010000"), ("ISIC_0000003", "ISIC_0009999")
# both sides larger than what is written, or one, or none
SHAPES = {
    "ISIC_0000000": (75, 100),
    "ISIC_0000002": (97, 64),
    "ISIC_0010000": (20, 50),
    "ISIC_0000003": (20, 24),
    "ISIC_0009999": (32, 32),
}


def skin(name):
    rows, columns = SHAPES[name]
    coarse = np.random.default_rng(int(name[5:])).uniform(0, 255, (5, 5, 3))
    return zoom(coarse, (rows / 5, columns / 5, 1), order=1).round().astype(np.uint8)


def lesion(name):
    rows, columns = SHAPES[name]
    row, column = np.ogrid[:rows, :columns]
    return np.where(np.hypot(row / rows - 0.4, column / columns - 0.5) < 0.3, 255, 0).astype(np.uint8)


@pytest.fixture
def root(tmp_path):
    """A small ISBI 2016 as it is delivered."""
    for names, images, masks in ((TRAINING, *FOLDERS[:2]), (TEST, *FOLDERS[2:])):
        for folder in (images, masks):
            (tmp_path / "isbi" / folder).mkdir(parents=True)
        for name in names:
            Image.fromarray(skin(name)).save(tmp_path / "isbi" / images / f"{name}.jpg", quality=95)
            Image.fromarray(lesion(name)).save(tmp_path / "isbi" / masks / f"{name}_Segmentation.png")
    return tmp_path / "isbi"


def prepare(root, size=32):
    return prepare_isbi2016(root, root.parent / "out", size, (3, 2))


def fails_with(root, *lines):
    errors.fails_with(partial(prepare, root), root.parent / "out", *lines)


def test_pairs_are_the_official_ones():
    assert PAIRS == (900, 379)


def test_pictures_masks_and_split(root):
    out = root.parent / "out"
    assert prepare(root) == (
        f"3 training and 2 test pairs in {out}/datalist.json (10 files written, 0 were there already)."
    )
    content = json.loads((out / "datalist.json").read_text())
    assert content["description"] == "ISBI 2016 Part 1, resized to 32 x 32, its own training and test"
    for section, names in (("training", TRAINING), ("test", TEST)):
        assert content[section] == [
            {"id": name, "image": f"images/{name}.png", "label": f"masks/{name}.png"} for name in names
        ]
        assert len(load_datalist(out / "datalist.json", section)) == len(names)
    for name in TRAINING + TEST:
        for kind, mode in (("images", "RGB"), ("masks", "L")):
            with Image.open(out / kind / f"{name}.png") as image:
                assert (image.size, image.mode) == ((32, 32), mode)


def test_what_is_written_is_what_the_bundle_would_make_of_the_original(root):
    prepare(root)
    parser = ConfigParser()
    parser.read_config(str(TRAIN))
    parser["image_size"] = [32, 32]
    parser["in_channels"] = 3
    preprocess = parser.get_parsed_content("train#preprocessing")
    for names, images, masks in ((TRAINING, *FOLDERS[:2]), (TEST, *FOLDERS[2:])):
        for name in names:
            original = {
                "image": str(root / images / f"{name}.jpg"),
                "label": str(root / masks / f"{name}_Segmentation.png"),
            }
            written = {
                key: str(root.parent / "out" / kind / f"{name}.png")
                for key, kind in (("image", "images"), ("label", "masks"))
            }
            expected, found = preprocess(original), preprocess(written)
            np.testing.assert_allclose(found["image"].numpy(), expected["image"].numpy(), atol=0.5 / 255 + 1e-6)
            np.testing.assert_array_equal(found["label"].numpy(), expected["label"].numpy())


@pytest.mark.parametrize("shape", [(100, 70), (33, 200), (16, 100), (100, 16), (32, 40), (10, 12), (32, 32)])
def test_resizing_is_monai_s(shape):
    random = np.random.default_rng(0)
    picture = random.random((3, *shape), dtype=np.float32)
    expected = Resize((32, 32), mode="bilinear", anti_aliasing=True)(torch.as_tensor(picture))
    found = resize_picture(picture, 32).transpose(2, 0, 1)
    np.testing.assert_allclose(found, np.asarray(expected) * 255, atol=0.5 + 1e-3)
    mask = (random.random((1, *shape)) > 0.5).astype(np.float32)
    covered = np.asarray(Resize((32, 32), mode="area")(torch.as_tensor(mask)))[0]
    np.testing.assert_array_equal(resize_mask(mask, 32), np.where(covered >= 0.5, 255, 0))


def test_folders_one_level_down(root):
    (root / "more").mkdir()
    shutil.move(root / TEST_IMAGES, root / "more" / TEST_IMAGES)
    # an archive that was unpacked into a folder of its own name, and what macOS leaves
    shutil.move(root / TEST_MASKS, root / "moved")
    (root / TEST_MASKS).mkdir()
    shutil.move(root / "moved", root / TEST_MASKS / TEST_MASKS)
    (root / TRAINING_IMAGES / "._ISIC_0000000.jpg").touch()
    assert prepare(root).startswith("3 training and 2 test pairs")


def test_what_is_not_of_the_set_is_counted(root, capsys):
    (root / TEST_IMAGES / "ATTRIBUTION.txt").touch()
    (root / TEST_MASKS / "._ISIC_0000003_Segmentation.png").touch()
    (root / TRAINING_IMAGES / "up").symlink_to("..")
    shutil.move(root / TRAINING_MASKS, root / "elsewhere")
    (root / TRAINING_MASKS).mkdir()
    (root / TRAINING_MASKS / "linked").symlink_to("../elsewhere")
    prepare(root)
    assert capsys.readouterr().out == (
        "left out: hidden files and folders: 1, links back to a folder that they lie in: 1, other files (.txt): 1\n"
    )


@pytest.mark.parametrize("reader", ["read_picture", "read_mask", "resize_picture"])
def test_whatever_one_file_does_the_others_are_checked(root, monkeypatch, reader):
    original = getattr(isbi2016, reader)

    def spoilt(first, *arguments, **options):
        if "ISIC_0000003" in str(first) or getattr(first, "shape", None) == (3, *SHAPES["ISIC_0000003"]):
            raise ZeroDivisionError("by 0")
        return original(first, *arguments, **options)

    monkeypatch.setattr(isbi2016, reader, spoilt)
    blank = root / TEST_MASKS / "ISIC_0009999_Segmentation.png"
    Image.new("L", (32, 32)).save(blank)
    name = "_Segmentation.png" if reader == "read_mask" else ".jpg"
    path = root / (TEST_MASKS if reader == "read_mask" else TEST_IMAGES) / f"ISIC_0000003{name}"
    fails_with(
        root,
        f"The file {path} cannot be read (ZeroDivisionError: by 0); copy it again, or take it out.",
        f"The mask {blank} is empty; every ISBI 2016 picture shows a lesion.",
    )


def test_a_lesion_that_is_lost_by_resizing(root):
    path = root / TRAINING_MASKS / "ISIC_0000000_Segmentation.png"
    spot = np.zeros(SHAPES["ISIC_0000000"], np.uint8)
    spot[40, 50] = 255
    Image.fromarray(spot).save(path)
    fails_with(
        root,
        f"The lesion of the mask {path} is so small that nothing of it is left at 32 × 32; give a larger --size.",
    )


def test_small_letters(root):
    shutil.move(root / TEST_IMAGES / "ISIC_0000003.jpg", root / TEST_IMAGES / "isic_0000003.JPEG")
    shutil.move(
        root / TEST_MASKS / "ISIC_0000003_Segmentation.png", root / TEST_MASKS / "isic_0000003_segmentation.PNG"
    )
    prepare(root)
    assert load_datalist(root.parent / "out/datalist.json", "test")[0]["id"] == "ISIC_0000003"


def test_grey_picture_has_its_channel_repeated(root):
    path = root / TEST_IMAGES / "ISIC_0000003.jpg"
    Image.open(path).convert("L").save(path)
    prepare(root)
    pixels = np.asarray(Image.open(root.parent / "out/images/ISIC_0000003.png"))
    assert pixels.shape == (32, 32, 3)
    assert (pixels == pixels[..., :1]).all() and np.ptp(pixels) > 50


def test_missing_folders(root):
    with pytest.raises(InputError) as caught:
        prepare(root / "no")
    assert str(caught.value) == f"The folder {root}/no does not exist."
    for missing in ([TRAINING_MASKS], [TRAINING_MASKS, TEST_IMAGES], FOLDERS):
        for name in missing:
            shutil.rmtree(root / name, ignore_errors=True)
        with pytest.raises(InputError) as caught:
            prepare(root)
        assert str(caught.value) == (
            f"The folder {root} lacks {', '.join(missing)}; name the folder that holds the four folders of ISBI 2016 "
            "Part 1 as they are delivered."
        )


def test_one_line_for_each_wrong_file(root):
    images, masks = root / TRAINING_IMAGES, root / TRAINING_MASKS
    (images / "ISIC_0000000.jpg").unlink()
    (masks / "ISIC_0000002_Segmentation.png").unlink()
    for name in TEST:
        (root / TEST_IMAGES / f"{name}.jpg").write_bytes(b"no picture")
    blank = Image.new("L", (5, 5))
    blank.save(root / TEST_MASKS / "ISIC_0000003_Segmentation.png")
    unreadable = "cannot be read as a picture (cannot identify image file '{path}'); copy it again."
    paths = [root / TEST_IMAGES / f"{name}.jpg" for name in TEST]
    fails_with(
        root,
        f"The picture {images}/ISIC_0000002.jpg has no mask in {masks}.",
        f"The mask {masks}/ISIC_0000000_Segmentation.png has no picture in {images}.",
        f"The file {paths[0]} {unreadable.format(path=paths[0])}",
        f"The mask {root / TEST_MASKS}/ISIC_0000003_Segmentation.png is empty; every ISBI 2016 picture shows a lesion.",
        f"The file {paths[1]} {unreadable.format(path=paths[1])}",
    )


@pytest.mark.parametrize(("change", "advice"), [(-1, "copy those that are missing again"), (1, "take out what is not")])
def test_wrong_count(root, change, advice):
    image, mask = root / TEST_IMAGES / "ISIC_{}.jpg", root / TEST_MASKS / "ISIC_{}_Segmentation.png"
    for path in (image, mask):
        if change < 0:
            Path(str(path).format("0009999")).unlink()
        else:
            shutil.copy(str(path).format("0009999"), str(path).format("0000001"))
    with pytest.raises(InputError) as caught:
        prepare(root)
    assert str(caught.value).startswith(
        f"The folders {image.parent} and {mask.parent} have {2 + change} pairs, and must have 2; {advice}"
    )
    assert len(str(caught.value).splitlines()) == 2


def test_doubled_and_foreign_files(root):
    images, masks = root / TRAINING_IMAGES, root / TRAINING_MASKS
    for ending in ("JPG", "png"):
        shutil.copy(images / "ISIC_0000000.jpg", images / f"ISIC_0000000.{ending}")
    shutil.copy(images / "ISIC_0000000.jpg", images / "ISIC_0000000 (1).jpg")
    shutil.copy(masks / "ISIC_0000000_Segmentation.png", masks / "ISIC_0000000.png")
    (images / "attribution.txt").touch()
    fails_with(
        root,
        f"The file {images}/ISIC_0000000 (1).jpg is not one of ISBI 2016's pictures; take it out of the folder.",
        f"The files {images}/ISIC_0000000.JPG and {images}/ISIC_0000000.jpg are both ISIC_0000000; take one of them "
        "out of the folder.",
        f"The files {images}/ISIC_0000000.JPG and {images}/ISIC_0000000.png are both ISIC_0000000; take one of them "
        "out of the folder.",
        f"The file {masks}/ISIC_0000000.png is not one of ISBI 2016's masks; take it out of the folder.",
    )


def test_picture_of_both_parts(root):
    name = "ISIC_0009999"
    for folder, ending in ((TEST_IMAGES, ".jpg"), (TEST_MASKS, "_Segmentation.png")):
        other = folder.replace("Test", "Training")
        shutil.move(root / folder / f"ISIC_0000003{ending}", root / folder / f"ISIC_0000002{ending}")
        assert (root / other / f"ISIC_0000002{ending}").exists() and (root / folder / f"{name}{ending}").exists()
    fails_with(
        root,
        f"The picture ISIC_0000002 is in the training and in the test part: {root / TRAINING_IMAGES}/ISIC_0000002.jpg "
        f"and {root / TEST_IMAGES}/ISIC_0000002.jpg.",
    )


def turned(path, orientation):
    image = Image.open(path)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)


def test_a_picture_of_16_bits(root):
    path = root / TEST_IMAGES / "ISIC_0000003.jpg"
    Image.fromarray(skin("ISIC_0000003")[..., 0].astype(np.uint16) * 250).save(path, format="PNG")
    fails_with(root, f"The picture {path} has 16 bits per pixel, and those of ISBI 2016 have 8 per channel.")
    written = {path.stem for path in (root.parent / "out").rglob("*.*")}
    assert written == {*TRAINING, "ISIC_0009999"}


def test_a_picture_that_is_turned(root):
    turned(root / TEST_IMAGES / "ISIC_0000003.jpg", 3)
    with pytest.raises(InputError, match=r"ISIC_0000003.jpg has an EXIF orientation \(3\)"):
        prepare(root)


def test_truncated_picture(root):
    path = root / TRAINING_IMAGES / "ISIC_0000000.jpg"
    path.write_bytes(path.read_bytes()[:-60])
    # how many bytes Pillow had in its buffer is its own affair
    reason = r"image file is truncated \(\d+ bytes not processed\)"
    sentence = rf"^The file {path} cannot be read as a picture \({reason}\); copy it again.\n1 file is wrong; "
    with pytest.raises(InputError, match=sentence):
        prepare(root)


def test_orientation_that_means_upright(root):
    turned(root / TEST_IMAGES / "ISIC_0000003.jpg", 1)
    assert prepare(root).startswith("3 training and 2 test pairs")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mask: mask * 0, "The mask {mask} is empty; every ISBI 2016 picture shows a lesion."),
        (lambda mask: mask * 0 + 255, "The mask {mask} is all lesion; it is damaged."),
        (
            lambda mask: mask.T,
            "The mask {mask} has 24 × 20 pixels (rows × columns), but its image {image} has 20 × 24.",
        ),
    ],
)
def test_wrong_masks(root, change, message):
    mask = root / TEST_MASKS / "ISIC_0000003_Segmentation.png"
    Image.fromarray(np.ascontiguousarray(change(lesion("ISIC_0000003")))).save(mask)
    fails_with(root, message.format(mask=mask, image=root / TEST_IMAGES / "ISIC_0000003.jpg"))


def test_repeated_command_writes_only_what_is_not_whole(root):
    prepare(root)
    os.truncate(root.parent / "out/images/ISIC_0000003.png", 60)
    (root.parent / "out/masks/ISIC_0000002.png").unlink()
    assert prepare(root).endswith("(2 files written, 8 were there already).")
    # another size is another set
    assert prepare(root, size=40).endswith("(10 files written, 0 were there already).")


def test_interrupted_run_goes_on(root, monkeypatch):
    original = isbi2016.read_mask

    def interrupted(path):
        if "ISIC_0000002" in path.name:
            raise KeyboardInterrupt
        return original(path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(isbi2016, "read_mask", interrupted)
        prepare(root)
    assert not (root.parent / "out/datalist.json").exists()
    assert prepare(root).endswith("(8 files written, 2 were there already).")


def test_what_has_not_begun_is_dropped_when_the_command_ends():
    begun = []

    def work(number):
        begun.append(number)
        threading.Event().wait(0.05)
        return number

    results = isbi2016._in_threads(work, range(100))
    assert next(results) == 0
    results.close()
    assert len(begun) < 100


def test_command(root, capsys):
    command = ["isbi2016", "--root", str(root), "--output", str(root.parent / "out")]
    assert main([*command, "--size", "31"]) == 1
    assert capsys.readouterr().err == "error: --size must be at least 32 pixels, got 31.\n"
    assert main([*command, "--size", "48"]) == 1
    assert errors.error_lines(capsys.readouterr().err) == [
        f"The folders {root / images} and {root / masks} have {found} pairs, and must have {count}; copy those "
        "that are missing again."
        for images, masks, found, count in ((*FOLDERS[:2], 3, 900), (*FOLDERS[2:], 2, 379))
    ]
    with Image.open(root.parent / "out/images/ISIC_0000003.png") as image:
        assert image.size == (48, 48)
