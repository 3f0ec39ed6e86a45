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

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai.config import PathLike

from pipeline.utils import InputError

from .picture_files import picture_name

__all__ = ["datalist_fingerprint", "load_datalist"]

SECTIONS = ("training", "test")
FILE_KEYS = ("image", "label")


def load_datalist(path: PathLike, section: str) -> list[dict[str, Any]]:
    """Read one section of a MONAI (decathlon-style) data list and check that it can be used.

    Args:
        path: the JSON file, ``{"training": [{"image": ..., "label": ..., "id": ...}, ...], "test": [...]}``. Relative
            names start from its folder.
        section: ``"training"`` or ``"test"``.

    Returns:
        the entries, with absolute paths, and the image's name without its ending as ``id`` where there is none.

    Raises:
        InputError: if the list is absent or not JSON of this form, the section is absent or empty, files are gone, or
            a picture stands in the training and in the test section.
    """
    path = Path(path)
    content = _read(path)
    base = path.parent
    if section not in content:
        raise InputError(
            f"The data list {path} has no section '{section}'; it has {', '.join(map(repr, content)) or 'none'}."
        )
    entries = content[section]
    if not entries:
        raise InputError(f"The section '{section}' of the data list {path} is empty; prepare the data again.")
    resolved = [_resolve(entry, base, path, section) for entry in entries]
    names = [entry["id"] for entry in resolved]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(
            f"The section '{section}' of the data list {path} has several entries with the id '{repeated}'; give each "
            "image its own."
        )
    _check_leak(content, base, path)
    gone = [name for entry in resolved for name in _files(entry) if not Path(name).is_file()]
    if gone:
        raise InputError(
            f"The data list {path} names files that do not exist ({len(gone)}, the first is {gone[0]}); prepare "
            "the data again or correct the list."
        )
    return resolved


def datalist_fingerprint(path: PathLike) -> str:
    """Return a SHA-256 over the entries of a data list and the bytes of every file that it names.

    Moving the folder as a whole does not change it, changing any pixel, name, order or section does.

    Raises:
        InputError: as :func:`load_datalist`.
    """
    path = Path(path)
    content = _read(path)
    digest = hashlib.sha256()
    sections = {name: content[name] for name in SECTIONS if name in content}
    digest.update(json.dumps(sections, sort_keys=True).encode())
    for section, entries in sections.items():
        for entry in entries:
            for name in _files(_resolve(entry, path.parent, path, section)):
                try:
                    digest.update(hashlib.sha256(Path(name).read_bytes()).digest())
                except OSError as error:
                    raise InputError(f"The file {name} of the data list {path} cannot be read ({error}).") from error
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        output = path.parent
        raise InputError(
            f"There is no data list {path}. Prepare JSRT with `python -m data_prep jsrt --images <JSRT dir> --masks "
            f"<SCR dir> --output {output}`, ISBI 2016 with `python -m data_prep isbi2016 --root <dir of its four "
            f"folders> --output {output}`, or phantoms with `python -m data_prep phantoms --output {output}` "
            "(`--kind skin` for dermoscopy)."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The data list {path} cannot be read as JSON ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(name, []), list) for name in SECTIONS):
        raise InputError(f"The data list {path} must be a JSON object with lists of entries under {SECTIONS}.")
    return content


def _resolve(entry: Any, base: Path, path: Path, section: str) -> dict[str, Any]:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in FILE_KEYS):
        raise InputError(
            f"Every entry of '{section}' in the data list {path} must name an 'image' and a 'label', got {entry!r}."
        )
    files = {key: str((base / entry[key]).absolute()) for key in FILE_KEYS}
    return {"id": picture_name(Path(entry["image"])), **entry, **files}


def _files(entry: dict[str, Any]) -> Iterator[str]:
    return (entry[key] for key in FILE_KEYS)


def _check_leak(content: dict[str, Any], base: Path, path: Path) -> None:
    """Refuse a list with a picture in both sections, whichever section is asked for."""
    images: dict[str, set[Path]] = {
        section: {Path(_resolve(entry, base, path, section)["image"]).resolve() for entry in content.get(section, [])}
        for section in SECTIONS
    }
    shared = sorted(images["training"] & images["test"])
    if shared:
        raise InputError(
            f"The data list {path} has pictures in 'training' as well as in 'test' ({len(shared)}, the first is "
            f"{shared[0]})."
        )
