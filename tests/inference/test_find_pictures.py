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

import numpy as np
import pytest

from pipeline.inference import check_pictures, find_pictures
from pipeline.utils import InputError
from tests.transforms.files import write_dicom

ENDINGS = ".png, .jpg, .jpeg, .gif, .nii, .nii.gz, .dcm, .dicom, .dic"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(root: Path, output_dir: Path) -> dict[str, str]:
    return {Path(item["image"]).name: item["name"] for item in find_pictures(root, output_dir).items}


def test_pictures_are_found_in_subfolders_and_others_counted(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.JPG", "sub/deep/c.nii.gz", "sub/d.dcm", "notes.txt", "sub/.hidden.png", ".cache/e.png")
    found = find_pictures(tmp_path, tmp_path / "results")
    assert found.items == [
        {"image": str(tmp_path / "a.JPG"), "name": "a"},
        {"image": str(tmp_path / "b.png"), "name": "b"},
        {"image": str(tmp_path / "sub" / "d.dcm"), "name": "sub/d"},
        {"image": str(tmp_path / "sub" / "deep" / "c.nii.gz"), "name": "sub/deep/c"},
    ]
    assert found.skipped == 3


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
    items = find_pictures(tmp_path, tmp_path / "results").items
    assert len(items) == len(files)
    assert {item["name"] for item in items} == expected


def test_results_of_an_earlier_run_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "results/a_mask.png", "results/sub/b_overlay.png")
    assert names(tmp_path, tmp_path / "results") == {"a.png": "a"}
    assert names(tmp_path, tmp_path / "sub" / ".." / "results") == {"a.png": "a"}


def test_one_file_may_be_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    found = find_pictures(tmp_path / "a.png", tmp_path)
    assert found.items == [{"image": str(tmp_path / "a.png"), "name": "a"}] and found.skipped == 0
    check_pictures(found)


def test_absent_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        check_pictures(find_pictures(tmp_path / "absent", tmp_path / "results"))
    assert str(error.value) == (
        f"dataset_dir: there is no file or folder {tmp_path}/absent; name the pictures with --dataset_dir."
    )


def test_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "pictures/notes.txt", "pictures/scan.tif")
    with pytest.raises(InputError) as error:
        check_pictures(find_pictures(tmp_path / "pictures", tmp_path / "results"))
    assert str(error.value) == (
        f"dataset_dir: there is no picture in {tmp_path}/pictures (2 other files); it must hold files that are DICOM "
        f"or end in {ENDINGS}."
    )


@pytest.mark.parametrize("output_dir", ["pictures", "."])
def test_results_among_the_pictures_are_refused(output_dir: str, tmp_path: Path) -> None:
    touch(tmp_path, "pictures/a.png")
    with pytest.raises(InputError) as error:
        check_pictures(find_pictures(tmp_path / "pictures", tmp_path / output_dir))
    assert str(error.value) == (
        f"output_dir: the pictures themselves lie in {tmp_path / output_dir}; name another folder with --output_dir."
    )
