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

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from monai.config import PathLike

from pipeline.transforms import PICTURE_SUFFIXES, is_picture, picture_name
from pipeline.utils import InputError

__all__ = ["FoundPictures", "check_pictures", "find_pictures"]


@dataclass(frozen=True)
class FoundPictures:
    """The pictures in a folder.

    Attributes:
        root: the folder, or the one picture.
        output_dir: the folder for what is made of them.
        items: for each picture ``{"image": its path, "name": where results go}``. The name is relative to
            ``output_dir`` and has no ending: the subfolder and the file's stem, or the file's whole name where the stem
            alone would give two pictures of a folder the same name.
        skipped: number of other files.
    """

    root: Path
    output_dir: Path
    items: list[dict[str, str]]
    skipped: int


def find_pictures(root: PathLike, output_dir: PathLike) -> FoundPictures:
    """List the pictures of a folder and its subfolders, sorted by path.

    Pictures are the files with one of ``PICTURE_SUFFIXES`` and DICOM files with any name. Hidden files are other files.
    What lies in ``output_dir`` is left out, so that masks written earlier are not taken for pictures.

    Args:
        root: a folder, or one picture. If it is absent, nothing is found, see :func:`check_pictures`.
        output_dir: the folder for what is made of the pictures.
    """
    root, output_dir = Path(root), Path(output_dir)
    if root.is_file():
        base, files = root.parent, [root]
    else:
        base, results = root, output_dir.resolve()
        files = [path for path in sorted(root.rglob("*")) if path.is_file() and results not in path.resolve().parents]
    pictures = [path for path in files if not _is_hidden(path, base) and is_picture(path)]
    # casefold: some file systems take "A" and "a" for the same
    claims = Counter(
        (path.parent, name) for path in pictures for name in {picture_name(path).casefold(), path.name.casefold()}
    )
    items = []
    for path in pictures:
        name = picture_name(path) if claims[path.parent, picture_name(path).casefold()] == 1 else path.name
        items.append({"image": str(path), "name": str(path.parent.relative_to(base) / name)})
    return FoundPictures(root, output_dir, items, skipped=len(files) - len(pictures))


def check_pictures(found: FoundPictures) -> None:
    """Refuse to begin where there is nothing to read, or where results would lie among the pictures.

    Raises:
        InputError: if the folder is absent or has no picture, or ``output_dir`` is this folder or one that it lies in.
    """
    root, results = found.root.resolve(), found.output_dir.resolve()
    if not root.exists():
        raise InputError(f"dataset_dir: there is no file or folder {found.root}; name the pictures with --dataset_dir.")
    if root.is_dir() and (root == results or results in root.parents):
        raise InputError(
            f"output_dir: the pictures themselves lie in {found.output_dir}; name another folder with --output_dir."
        )
    if not found.items:
        raise InputError(
            f"dataset_dir: there is no picture in {found.root} ({found.skipped} other files); it must hold files that "
            f"are DICOM or end in {', '.join(PICTURE_SUFFIXES)}."
        )


def _is_hidden(path: Path, base: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(base).parts)
