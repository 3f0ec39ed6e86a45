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

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.__main__ import main
from data_prep.pairs import prepare_pairs
from pipeline.transforms import load_datalist, read_mask, read_picture
from pipeline.utils import InputError
from tests.transforms.files import asymmetric, write_dicom, write_nifti

PICTURE = asymmetric()
LUNGS = np.where(PICTURE > 100, 255, 0).astype(np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def source(tmp_path):
    """Pictures a to e in five formats, with masks."""
    save(tmp_path / "images/a.png", PICTURE)
    save(tmp_path / "images/b.JPG", PICTURE)
    write_dicom(tmp_path / "images/c", asymmetric(maximum=4095, dtype=np.uint16), bits=12, photometric="MONOCHROME1")
    write_nifti(tmp_path / "images/d.v1.nii.gz", PICTURE.T, np.diag([-1, -1, 1, 1]))
    save(tmp_path / "images/e.gif", PICTURE)
    (tmp_path / "images/readme.txt").touch()
    (tmp_path / "images/.hidden.png").touch()
    save(tmp_path / "masks/a.png", LUNGS)
    save(tmp_path / "masks/b_mask.png", LUNGS)
    save(tmp_path / "masks/c_Segmentation.png", LUNGS // 255)
    write_nifti(tmp_path / "masks/d.v1_segmentation.nii.gz", LUNGS.T // 255, np.diag([-1, -1, 1, 1]))
    save(tmp_path / "masks/e.gif", LUNGS)
    return tmp_path


def prepare(folder, **options):
    return prepare_pairs(folder / "images", folder / "masks", folder / "out", **options)


def fails_with(folder, *lines, **options):
    """Expect these lines of errors and no data list."""
    with pytest.raises(InputError) as caught:
        prepare(folder, **options)
    assert str(caught.value).splitlines()[:-1] == list(lines)
    assert not (folder / "out/datalist.json").exists()


def test_all_formats(source):
    assert prepare(source, original_names=True) == (
        f"3 training and 2 test pairs in {source}/out/datalist.json (10 files written, 0 were there already)."
    )
    training, test = (load_datalist(source / "out/datalist.json", section) for section in ("training", "test"))
    assert [entry["id"] for entry in training] == ["a", "c", "e"]
    assert [entry["id"] for entry in test] == ["b", "d.v1"]
    endings = {entry["id"]: Path(entry["image"]).name for entry in training + test}
    assert endings == {"a": "a.png", "b": "b.jpg", "c": "c.png", "d.v1": "d.v1.png", "e": "e.png"}
    originals = {path.name.removesuffix(".gz").removesuffix(".nii"): path for path in (source / "images").iterdir()}
    for entry in training + test:
        original = originals.get(entry["id"]) or next((source / "images").glob(f"{entry['id']}.*"))
        # 16 bits hold a DICOM's 4096 levels, all others come back exactly
        atol = 0.5 / 65535 if entry["id"] == "c" else 0
        np.testing.assert_allclose(read_picture(entry["image"]).pixels, read_picture(original).pixels, atol=atol)
        np.testing.assert_array_equal(read_mask(entry["label"]).pixels[0], LUNGS > 0)
    assert (source / "out/images/b.jpg").read_bytes() == (source / "images/b.JPG").read_bytes()


def test_names_of_dicom_files_are_hidden_unless_asked_for(source):
    prepare(source)
    (hidden,) = [entry["id"] for entry in load_datalist(source / "out/datalist.json", "training") if "_" in entry["id"]]
    assert hidden == f"dicom_{sha256(b'1.2.3').hexdigest()[:12]}"
    assert (source / f"out/images/{hidden}.png").is_file() and not (source / "out/images/c.png").exists()
    shutil.copy(source / "images/c", source / "images/f")
    save(source / "masks/f.png", LUNGS)
    (source / "out/datalist.json").unlink()
    fails_with(
        source,
        f"The files {source}/images/c and {source}/images/f are the same DICOM picture, by its SOP Instance UID; take "
        "one out, or give --original-names.",
    )
    sources = ["--images", str(source / "images"), "--masks", str(source / "masks")]
    assert main(["pairs", *sources, "--output", str(source / "named"), "--original-names"]) == 0
    assert (source / "named/images/c.png").is_file() and (source / "named/images/f.png").is_file()


def test_description(source):
    for original_names, expected in ((False, "DICOM pictures"), (True, "pictures of the folder images")):
        prepare(source, original_names=original_names)
        assert json.loads((source / "out/datalist.json").read_text())["description"] == expected
    sources = ["--images", str(source / "images"), "--masks", str(source / "masks")]
    assert main(["pairs", *sources, "--output", str(source / "named"), "--description", "Lungs of Utrecht"]) == 0
    assert json.loads((source / "named/datalist.json").read_text())["description"] == "Lungs of Utrecht"


def test_repeated_command(source):
    prepare(source)
    assert prepare(source).endswith("(0 files written, 10 were there already).")
    os.truncate(source / "out/images/b.jpg", 100)
    assert prepare(source).endswith("(1 files written, 9 were there already).")


def test_output_can_be_moved(source, tmp_path):
    prepare(source)
    (source / "out").rename(tmp_path / "moved")
    assert len(load_datalist(tmp_path / "moved/datalist.json", "training")) == 3


def test_color_stays(tmp_path):
    colors = np.stack([PICTURE, PICTURE // 2, 255 - PICTURE], -1)
    for name in ("a", "b"):
        (tmp_path / "images").mkdir(exist_ok=True)
        write_dicom(tmp_path / f"images/{name}.dcm", colors, photometric="RGB")
        save(tmp_path / f"masks/{name}.png", LUNGS)
    prepare(tmp_path, original_names=True)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out/images/a.png")), colors)


@pytest.mark.parametrize(
    ("words", "training", "test"),
    [
        ([], ["a", "c", "e"], ["b", "d.v1"]),
        (["--odd-even"], ["a", "c", "e"], ["b", "d.v1"]),
        (["--split-file", "split.json"], ["b", "c", "d.v1", "e"], ["a"]),
        (["--fraction", "0.6", "--seed", "1"], 2, 3),
    ],
)
def test_splits(source, monkeypatch, words, training, test):
    monkeypatch.chdir(source)
    Path("split.json").write_text(json.dumps({"training": ["b", "c", "d.v1", "e"], "test": ["a"]}))
    assert main(["pairs", "--images", "images", "--masks", "masks", "--output", "out", "--original-names", *words]) == 0
    for section, expected in (("training", training), ("test", test)):
        found = [entry["id"] for entry in load_datalist("out/datalist.json", section)]
        assert (len(found) if isinstance(expected, int) else found) == expected


def test_two_splits_at_once(source, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["pairs", "--images", "i", "--masks", "m", "--output", "o", "--odd-even", "--fraction", "0.5"])
    assert caught.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.fixture
def apart(tmp_path):
    """Colored pictures a, b for training and c for the test in folders of their own, as ISIC's copies come."""
    colors = np.stack([PICTURE, PICTURE // 2, 255 - PICTURE], -1)
    for names, part in (("ab", ""), ("c", "test-")):
        for name in names:
            save(tmp_path / f"{part}images/{name}.jpg", colors)
            save(tmp_path / f"{part}masks/{name}_segmentation.png", LUNGS)
    return tmp_path


def test_test_pictures_that_lie_apart(apart, monkeypatch):
    monkeypatch.chdir(apart)
    words = [word for name in ("images", "masks", "test-images", "test-masks") for word in (f"--{name}", name)]
    assert main(["pairs", *words, "--output", "out"]) == 0
    found = {
        section: [entry["id"] for entry in load_datalist("out/datalist.json", section)]
        for section in ("training", "test")
    }
    assert found == {"training": ["a", "b"], "test": ["c"]}
    assert Path("out/images/c.jpg").read_bytes() == Path("test-images/c.jpg").read_bytes()
    np.testing.assert_array_equal(read_mask("out/masks/c.png").pixels[0], LUNGS > 0)


def test_wrong_test_pictures(apart):
    save(apart / "test-images/b.png", PICTURE)
    save(apart / "test-masks/b.png", LUNGS)
    save(apart / "test-masks/d.png", LUNGS)
    save(apart / "test-masks/c_segmentation.png", LUNGS[1:])
    fails_with(
        apart,
        f"The mask {apart}/test-masks/d.png has no picture in {apart}/test-images.",
        f"The files {apart}/images/b.jpg and {apart}/test-images/b.png have the same name 'b'; rename one of them, or "
        "take it out if they are the same picture.",
        f"The mask {apart}/test-masks/c_segmentation.png has 39 × 64 pixels (rows × columns), but its image "
        f"{apart}/test-images/c.jpg has 40 × 64.",
        test_images=apart / "test-images",
        test_masks=apart / "test-masks",
    )


@pytest.mark.parametrize("given", ["test_images", "test_masks"])
def test_half_of_the_test_folders(apart, given):
    with pytest.raises(InputError, match="^--test-images and --test-masks go together; give both or none.$"):
        prepare(apart, **{given: apart / given})


def test_one_line_for_each_wrong_file(source):
    images, masks = source / "images", source / "masks"
    (masks / "a.png").unlink()
    save(masks / "z_mask.png", LUNGS)
    save(masks / "b_mask.png", LUNGS[:-1])
    (images / "c").write_bytes((images / "c").read_bytes()[:-50])
    save(masks / "e.gif", PICTURE)
    values = len(np.unique(PICTURE))
    with pytest.raises(InputError) as caught:
        prepare(source)
    lines = str(caught.value).splitlines()
    assert lines[:3] + lines[4:] == [
        f"The picture {images}/a.png has no mask in {masks}.",
        f"The mask {masks}/z_mask.png has no picture in {images}.",
        f"The mask {masks}/b_mask.png has 39 × 64 pixels (rows × columns), but its image {images}/b.JPG has 40 × 64.",
        f"The mask {masks}/e.gif has {values} different values; a mask may have only 0 (background) and one other "
        "value (foreground).",
        "5 files are wrong; no data list was written. Correct this and run again.",
    ]
    assert lines[3].startswith(f"The file {images}/c cannot be read as a DICOM picture (")
    assert not (source / "out/datalist.json").exists()


def test_names_that_two_files_have(source):
    save(source / "images/a.jpg", PICTURE)
    save(source / "masks/a_mask.png", LUNGS)
    fails_with(
        source,
        f"The files {source}/images/a.jpg and {source}/images/a.png have the same name 'a'; a picture has one mask.",
        f"The files {source}/masks/a.png and {source}/masks/a_mask.png have the same name 'a'; a picture has one mask.",
    )


def test_folders_that_are_absent_or_empty(tmp_path):
    with pytest.raises(InputError, match=f"^The folder {tmp_path}/images does not exist.$"):
        prepare(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match=f"^The folder {tmp_path}/images holds no pictures "):
        prepare(tmp_path)


@pytest.mark.real_data
def test_shenzhen(tmp_path):
    folder = Path(os.environ.get("NLCEN_REAL_DATA", "")) / "shenzhen"
    if "NLCEN_REAL_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("needs NLCEN_REAL_DATA=<folder> with shenzhen/images and shenzhen/masks")
    line = prepare_pairs(folder / "images", folder / "masks", tmp_path)
    assert line.startswith("124 training and 123 test pairs")


@pytest.mark.real_data
def test_isic(tmp_path):
    folder = Path(os.environ.get("NLCEN_REAL_DATA", "")) / "isic"
    if "NLCEN_REAL_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("needs NLCEN_REAL_DATA=<folder> with isic/train and isic/test")
    parts = [folder / part / kind for part in ("train", "test") for kind in ("images", "masks")]
    line = prepare_pairs(*parts[:2], tmp_path, test_images=parts[2], test_masks=parts[3])
    assert line.startswith("806 training and 150 test pairs")
