# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import pairs
from data_prep.__main__ import main
from data_prep.pairs import prepare_pairs
from pipeline.transforms import load_datalist, read_mask, read_picture
from pipeline.utils import InputError
from tests.data_prep import errors
from tests.transforms.files import asymmetric, fails, write_dicom, write_nifti

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
    errors.fails_with(partial(prepare, folder, **options), folder / "out", *lines)


def ids(folder):
    return [
        entry["id"]
        for section in ("training", "test")
        for entry in load_datalist(folder / "out/datalist.json", section)
    ]


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
    assert hidden == f"dicom_{sha256((source / 'images/c').read_bytes()).hexdigest()[:12]}"
    assert (source / f"out/images/{hidden}.png").is_file() and not (source / "out/images/c.png").exists()
    shutil.copy(source / "images/c", source / "images/f")
    save(source / "masks/f.png", LUNGS)
    (source / "out/datalist.json").unlink()
    fails_with(
        source,
        f"The files {source}/images/c and {source}/images/f are the same DICOM picture, byte for byte; take one out, "
        "or give --original-names.",
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
    here = Path.cwd().name
    description = f"pictures of the folder {here}/images, test pictures of {here}/test-images"
    assert json.loads(Path("out/datalist.json").read_text())["description"] == description
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


def test_files_of_one_uid_are_both_taken(tmp_path, capsys):
    for level, name in enumerate("ab"):
        (tmp_path / "images").mkdir(exist_ok=True)
        write_dicom(tmp_path / f"images/{name}", PICTURE // (level + 1))
        save(tmp_path / f"masks/{name}.png", LUNGS)
    prepare(tmp_path)
    assert len(set(ids(tmp_path))) == 2 and all(each.startswith("dicom_") for each in ids(tmp_path))
    assert (
        f"note: {tmp_path}/images/a and {tmp_path}/images/b: These have one SOP Instance UID and different content; "
        "both are taken.\n"
    ) in capsys.readouterr().out


def test_copies_are_told(apart, capsys):
    prepare(apart, test_images=apart / "test-images", test_masks=apart / "test-masks")
    assert capsys.readouterr().out.splitlines() == [
        f"note: {apart}/images/a.jpg and {apart}/images/b.jpg: These are the same picture, byte for byte; both are "
        "taken. There are 2 notes of this kind."
    ]


def pair(folder, name, mask=LUNGS, image=PICTURE):
    save(folder / f"images/{name}.png", image)
    save(folder / f"masks/{name}.png", mask)


def test_subfolders_are_entered_through_links_too(tmp_path, capsys):
    for name in ("a", "patient1/x", "patient2/x"):
        pair(tmp_path, name)
    save(tmp_path / "elsewhere/z.png", PICTURE)
    save(tmp_path / "masks/patient3/z_mask.png", LUNGS)
    (tmp_path / "images/patient3").symlink_to("../elsewhere")
    (tmp_path / "images/up").symlink_to("..")
    write_dicom(tmp_path / "images/patient1/DOE", PICTURE)
    save(tmp_path / "masks/patient1/DOE.png", LUNGS)
    prepare(tmp_path)
    hidden = f"dicom_{sha256((tmp_path / 'images/patient1/DOE').read_bytes()).hexdigest()[:12]}"
    assert sorted(ids(tmp_path)) == sorted(["a", "patient1/x", "patient2/x", "patient3/z", hidden])
    assert (tmp_path / "out/images/patient1/x.png").is_file() and (tmp_path / "out/masks/patient3/z.png").is_file()
    assert "left out: links back to a folder that they lie in: 1\n" in capsys.readouterr().out


def test_patients_in_both_parts_are_told(tmp_path, capsys):
    names = ["a", "DOE/left", "DOE/right", "ROE/1/x", "ROE/2/x", "POE/x", "b"]
    for name in names:
        pair(tmp_path, name)
    prepare(tmp_path)
    assert (
        f"note: {tmp_path}/images: 2 subfolders have pictures for training as well as for the test; if a subfolder is "
        "a patient, give --split-file with each patient in one part.\n"
    ) in capsys.readouterr().out
    patients = {"training": [name for name in names if "DOE" not in name], "test": ["DOE/left", "DOE/right"]}
    (tmp_path / "split.json").write_text(json.dumps(patients))
    prepare(tmp_path, split_file=tmp_path / "split.json")
    assert "subfolder" not in capsys.readouterr().out


def test_masks_and_output_in_the_folder_of_the_pictures(tmp_path):
    for name in "ab":
        save(tmp_path / f"set/{name}.png", PICTURE)
        save(tmp_path / f"set/masks/{name}.png", LUNGS)
    for _ in range(2):
        line = prepare_pairs(tmp_path / "set", tmp_path / "set/masks", tmp_path / "set/out")
        assert line.startswith("1 training and 1 test pairs")


@pytest.mark.parametrize("ending", ["png", "gif"])
def test_sources_are_not_written_into(tmp_path, ending):
    for name in "ab":
        save(tmp_path / f"images/{name}.{ending}", PICTURE)
        save(tmp_path / f"masks/{name}.png", LUNGS // 255)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    target, source = ("masks/a.png", "masks") if ending == "png" else ("images/a.png", "images")
    with fails(
        f"The file {tmp_path / target} would be written among those that are read from {tmp_path / source}; name "
        "another folder with --output."
    ):
        prepare_pairs(tmp_path / "images", tmp_path / "masks", tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_what_is_prepared_already_may_be_split_anew_where_it_is(source):
    prepare(source)
    folder = source / "out"
    assert prepare_pairs(folder / "images", folder / "masks", folder, test_fraction=0.2).startswith(
        f"4 training and 1 test pairs in {folder}/datalist.json (0 files written, 10 were there already)."
    )


def test_pictures_and_masks_in_one_folder(tmp_path):
    save(tmp_path / "images/a.png", PICTURE)
    save(tmp_path / "images/a_mask.png", LUNGS)
    with fails(f"The pictures and the masks are both read from {tmp_path}/images; put the masks into another folder."):
        prepare_pairs(tmp_path / "images", tmp_path / "images", tmp_path / "out")


def test_a_mask_with_the_very_name_of_its_picture(tmp_path):
    for name in ("a_mask", "b_segmentation", "c"):
        save(tmp_path / f"images/{name}.png", PICTURE)
    for name in ("a_mask", "b_segmentation_mask", "c_mask"):
        save(tmp_path / f"masks/{name}.png", LUNGS)
    prepare(tmp_path)
    assert sorted(ids(tmp_path)) == ["a_mask", "b_segmentation", "c"]


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_pictures_of_a_kind_that_is_not_read(source, folder):
    files = [save(source / folder / name, LUNGS) for name in ("sub/x.bmp", "y.TIF")]
    fails_with(
        source,
        *(
            f"The file {path} is a picture of a kind that is not read; convert it to PNG, or take it out."
            for path in files
        ),
    )


def test_only_pictures_of_a_kind_that_is_not_read(tmp_path):
    path = save(tmp_path / "images/a.tif", PICTURE)
    (tmp_path / "masks").mkdir()
    fails_with(tmp_path, f"The file {path} is a picture of a kind that is not read; convert it to PNG, or take it out.")


def test_other_files_are_counted(source, capsys):
    for name in ("images/b.csv", "masks/b.csv", "masks/LICENSE"):
        (source / name).touch()
    os.mkfifo(source / "masks/pipe.png")
    prepare(source)
    assert capsys.readouterr().out == (
        "left out: hidden files and folders: 1, other files (.csv): 2, other files (.txt): 1, other files (no ending): "
        "1, pipes, sockets and devices: 1\n"
    )


def test_links_that_lead_nowhere_and_folders_that_are_closed(source, monkeypatch):
    gone = source / "masks/a.png"
    gone.unlink()
    gone.symlink_to("../annex/a.png")
    (source / "images/closed").mkdir()
    original = Path.iterdir

    def refuse(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    fails_with(
        source,
        f"The folder {source}/images/closed cannot be opened (Permission denied); allow it to be read, or take it out.",
        f"The link {gone} leads nowhere; fetch its content (for example with `git annex get` or `datalad get`), or "
        "take it out.",
    )


NFC, NFD = "Bl\u00e4hung", "Bla\u0308hung"


@pytest.mark.parametrize(("image", "mask"), [(NFC, NFD), (NFD, NFC)])
def test_two_spellings_of_one_accented_name_are_a_pair(tmp_path, image, mask):
    pair(tmp_path, "other")
    save(tmp_path / f"images/{image}/{image}.png", PICTURE)
    save(tmp_path / f"masks/{mask}/{mask}_mask.png", LUNGS)
    (tmp_path / "split.json").write_text(json.dumps({"training": ["other"], "test": [f"{image}/{image}"]}))
    prepare(tmp_path, split_file=tmp_path / "split.json")
    assert ids(tmp_path) == ["other", f"{NFC}/{NFC}"]


def test_two_spellings_in_one_folder(tmp_path):
    pair(tmp_path, NFC)
    save(tmp_path / f"images/{NFD}.png", PICTURE)
    fails_with(
        tmp_path,
        f"The files '{tmp_path}/images/Bla\\u0308hung.png' and '{tmp_path}/images/Bl\\xe4hung.png' have the same name "
        f"'{NFC}'; a picture has one mask.",
    )


def test_names_that_cannot_be_ids(tmp_path):
    long, latin = "x" * 201, os.fsdecode(b"M\xfcller")
    for name in ("a", long, latin, "line\nbreak"):
        pair(tmp_path, name)
    where = f"The picture {tmp_path}/images"
    fails_with(
        tmp_path,
        f"{where}/{latin}.png would be called 'M\\udcfcller', which is not valid Unicode; rename it and its mask.",
        f"{where}/line break.png would be called 'line\\nbreak', which contains control characters or line breaks; "
        "rename it and its mask.",
        f"{where}/{long}.png would be called '{long}', which takes 201 bytes as the name of a file, more than 200; "
        "rename it and its mask.",
    )


def test_a_name_that_a_dicom_file_gets(tmp_path):
    (tmp_path / "images").mkdir()
    file = write_dicom(tmp_path / "images/a", PICTURE)
    save(tmp_path / "masks/a.png", LUNGS)
    name = f"dicom_{sha256(file.read_bytes()).hexdigest()[:12]}"
    pair(tmp_path, name)
    fails_with(
        tmp_path,
        f"The files {file} and {tmp_path}/images/{name}.png would both be called '{name}'; rename one of them.",
    )


def test_a_picture_that_is_turned(source):
    path = source / "images/b.JPG"
    with Image.open(path) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(path, exif=exif)
    fails_with(
        source,
        f"The picture {path} has an EXIF orientation (6) that turns or mirrors it, and nothing says whether its mask "
        "was drawn before or after; save the picture without this tag, oriented as its mask.",
    )


@pytest.mark.parametrize("reader", ["read_picture", "read_mask", "check_pair", "_to_integers"])
@pytest.mark.parametrize(
    "error", [ZeroDivisionError("by\n0"), MemoryError("too large"), RecursionError("deep"), OSError(5, "I/O")]
)
def test_whatever_one_file_does_the_others_are_checked(source, capsys, monkeypatch, reader, error):
    """The third does what nobody has foreseen; the fifth is wrong as well, and said too."""
    save(source / "masks/e.gif", LUNGS[1:])
    original = getattr(pairs, reader)

    def spoilt(*arguments):
        if any(Path(each).name.startswith("c") for each in arguments if isinstance(each, Path)):
            raise error
        return original(*arguments)

    monkeypatch.setattr(pairs, reader, spoilt)
    words = ["--images", str(source / "images"), "--masks", str(source / "masks"), "--output", str(source / "out")]
    assert main(["pairs", *words]) == 1
    lines = errors.error_lines(capsys.readouterr().err)
    path = source / ("masks/c_Segmentation.png" if reader == "read_mask" else "images/c")
    said = " ".join(f"{type(error).__name__}: {error}".split())
    assert lines == [
        f"The file {path} cannot be read ({said}); copy it again, or take it out.",
        f"The mask {source}/masks/e.gif has 39 × 64 pixels (rows × columns), but its image {source}/images/e.gif has "
        "40 × 64.",
    ]
    assert not (source / "out/datalist.json").exists()


def test_notes_of_reading_are_printed_once_for_each_kind(source, capsys, monkeypatch):
    original = pairs.read_picture

    def read(path):
        picture = original(path)
        picture.notes = {"a": "It is dark.", "b": "It uses 5 %.", "d": "It uses 6.5 %."}.get(path.name[0], "")
        return picture

    monkeypatch.setattr(pairs, "read_picture", read)
    prepare(source)
    assert capsys.readouterr().out.splitlines()[:-1] == [
        f"note: {source}/images/a.png: It is dark.",
        f"note: {source}/images/b.JPG: It uses 5 %. There are 2 notes of this kind.",
    ]


EMPTY, FULL = LUNGS * 0, LUNGS * 0 + 255


def test_empty_and_full_masks_are_counted(tmp_path):
    for name, mask in {"a": LUNGS, "b": EMPTY, "c": FULL, "d": LUNGS, "e": EMPTY, "f": LUNGS}.items():
        pair(tmp_path, name, mask)
    # what was there already is counted as well
    for _ in range(2):
        line = prepare(tmp_path)
        assert "Empty masks: 1 of 3 for training, 1 of 3 for the test (the first is that of e)." in line
        assert "foreground: 1 of 3 for training, 0 of 3 for the test (the first is that of c)." in line


@pytest.mark.parametrize(("section", "empty", "first"), [("training", "ac", "a"), ("test", "bd", "b")])
def test_a_split_of_nothing_is_refused(tmp_path, capsys, section, empty, first):
    for name in "abcd":
        pair(tmp_path, name, EMPTY if name in empty else LUNGS)
    folders = {"images": "images", "masks": "masks", "output": "out"}
    words = [word for option, name in folders.items() for word in (f"--{option}", str(tmp_path / name))]
    assert main(["pairs", *words]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: 2 of 2 {section} masks are empty (the first is that of {first}); no data list was written. Check the "
        "masks, or give --allow-empty if this is meant."
    )
    assert not (tmp_path / "out/datalist.json").exists()
    assert main(["pairs", *words, "--allow-empty"]) == 0
    counts = [f"{2 if section == each else 0} of 2 for" for each in ("training", "test")]
    assert f"Empty masks: {counts[0]} training, {counts[1]} the test (" in capsys.readouterr().out
    assert len(ids(tmp_path)) == 4


def test_half_of_the_masks_may_be_empty(tmp_path):
    for name in "abcd":
        pair(tmp_path, name, EMPTY if name in "ab" else LUNGS)
    assert "Empty masks: 1 of 2 for training, 1 of 2 for the test" in prepare(tmp_path)


def real_data(name):
    folder = Path(os.environ.get("NLCEN_REAL_DATA", "")) / name
    if "NLCEN_REAL_DATA" not in os.environ or not folder.is_dir():
        pytest.skip(f"needs NLCEN_REAL_DATA=<folder> with {name}")
    return folder


@pytest.mark.real_data
def test_shenzhen(tmp_path):
    folder = real_data("shenzhen")
    line = prepare_pairs(folder / "images", folder / "masks", tmp_path)
    assert line.startswith("124 training and 123 test pairs")


@pytest.mark.real_data
def test_isic(tmp_path):
    folder = real_data("isic")
    parts = [folder / part / kind for part in ("train", "test") for kind in ("images", "masks")]
    line = prepare_pairs(*parts[:2], tmp_path, test_images=parts[2], test_masks=parts[3])
    assert line.startswith("806 training and 150 test pairs")
