# SPDX-License-Identifier: Apache-2.0
"""Data lists: reading, checks and fingerprints."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from monai.config import PathLike

from pipeline.utils import InputError, why_no_id

from .picture_files import missing_file, picture_name

__all__ = ["data_name", "datalist_digests", "datalist_file", "datalist_fingerprint", "load_datalist"]

SECTIONS = ("training", "test")
FILE_KEYS = ("image", "label")
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def datalist_file(path: PathLike) -> Path:
    """Return the data list that a folder holds, ``datalist.json``, or ``path`` itself if it ends in ``.json``."""
    path = Path(path)
    return path if path.suffix == ".json" else path / "datalist.json"


def load_datalist(path: PathLike, section: str) -> list[dict[str, Any]]:
    """Read one section of a MONAI (decathlon-style) data list and check that it can be used.

    Args:
        path: the JSON file, ``{"training": [{"image": ..., "label": ..., "id": ...}, ...], "test": [...]}``, or the
            folder that holds it as ``datalist.json``. Relative names start from its folder. An accented letter may be
            written in either of Unicode's two ways.
        section: ``"training"`` or ``"test"``.

    Returns:
        the entries, with absolute paths. The ``id`` is text: a whole number's digits, and the image's name without its
        ending where there is none.

    Raises:
        InputError: if the list is absent or not JSON of this form, the section is absent or empty, an id cannot be one
            (see :func:`pipeline.utils.why_no_id`) or is given twice, files are gone, or a picture stands twice in a
            section or in both.
    """
    path = datalist_file(path)
    content = _read(path)
    if section not in content:
        raise InputError(
            f"The data list {path} has no section '{section}'; it has {', '.join(map(repr, content)) or 'none'}."
        )
    if not content[section]:
        raise InputError(f"The section '{section}' of the data list {path} is empty; prepare the data again.")
    sections = {name: _resolve_all(content.get(name, []), path, name) for name in (*SECTIONS, section)}
    entries = sections[section]
    _check_ids(entries, path, section)
    _check_leak(sections, path)
    _check_files(entries, path)
    _check_repeats(entries, path, section)
    return entries


def data_name(path: PathLike) -> str:
    """Return what a data list calls its data, or the name of its folder.

    Raises:
        InputError: as :func:`load_datalist`.
    """
    file = datalist_file(path)
    description = _read(file).get("description")
    return description if isinstance(description, str) and description.strip() else file.absolute().parent.name


def datalist_fingerprint(path: PathLike) -> str:
    """Return a SHA-256 over the entries of a data list and the bytes of every file that it names.

    Moving the folder as a whole does not change it; changing any pixel, name, order or section does.

    Raises:
        InputError: as :func:`load_datalist`.
    """
    return datalist_digests(path)["all"]


def datalist_digests(path: PathLike) -> dict[str, str]:
    """Return the :func:`datalist_fingerprint` of a data list, ``"all"``, and one of each section.

    Raises:
        InputError: as :func:`load_datalist`.
    """
    path = datalist_file(path)
    content = _read(path)
    sections = {name: content[name] for name in SECTIONS if name in content}
    digests = {name: hashlib.sha256(_bytes(entries)) for name, entries in {"all": sections, **sections}.items()}
    for section, entries in sections.items():
        for entry in _resolve_all(entries, path, section):
            for name in _files(entry):
                try:
                    digest = hashlib.sha256(Path(name).read_bytes()).digest()
                except OSError as error:
                    raise InputError(f"The file {name} of the data list {path} cannot be read ({error}).") from error
                digests["all"].update(digest)
                digests[section].update(digest)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _bytes(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        output = shlex.quote(str(path.parent))
        raise InputError(
            f"There is no data list {path}. Prepare any pictures and masks with `python -m data_prep pairs --images "
            f"<dir> --masks <dir> --output {output}`, JSRT with `python -m data_prep jsrt --images <JSRT dir> --masks "
            f"<SCR dir> --output {output}`, ISBI 2016 with `python -m data_prep isbi2016 --root <dir of its four "
            f"folders> --output {output}`, or phantoms with `python -m data_prep phantoms --output {output}` "
            "(`--kind skin` for dermoscopy)."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"The data list {path} cannot be read as JSON ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(name, []), list) for name in SECTIONS):
        raise InputError(f"The data list {path} must be a JSON object with lists of entries under {SECTIONS}.")
    return content


def _resolve_all(entries: Sequence[Any], path: Path, section: str) -> list[dict[str, Any]]:
    return [_resolve(entry, path, section, number) for number, entry in enumerate(entries, start=1)]


def _resolve(entry: Any, path: Path, section: str, number: int) -> dict[str, Any]:
    if not isinstance(entry, dict) or not all(_may_be_file(entry.get(key)) for key in FILE_KEYS):
        raise InputError(
            f"Every entry of '{section}' in the data list {path} must name an 'image' and a 'label', got {entry!r}."
        )
    files = {key: str(_find(path.parent, entry[key])) for key in FILE_KEYS}
    name = entry.get("id", picture_name(Path(entry["image"])))
    # bool is a kind of int
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    why = why_no_id(name) if isinstance(name, str) else "is not text"
    if why:
        called = f"has the 'id' {_shortened(name)}" if "id" in entry else f"is called {_shortened(name)} by its image"
        raise InputError(
            f"Entry {number} of '{section}' in the data list {path} {called}, which {why}; give it another 'id'."
        )
    return {**entry, **files, "id": name}


def _may_be_file(name: Any) -> bool:
    """Whether a value can be the name of a file: text that shows something, and that the file system can hold."""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        return False
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _find(base: Path, name: str) -> Path:
    """Return where a file is: under its name as given, or as another system writes the same accented letters."""
    spellings = (base / each for each in (name, *(unicodedata.normalize(form, name) for form in FORMS)))
    return next((path for path in spellings if os.path.exists(path)), base / name).absolute()


def _shortened(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) < 100 else f"{shown[:80]}…"


def _files(entry: dict[str, Any]) -> Iterator[str]:
    return (entry[key] for key in FILE_KEYS)


def _check_ids(entries: Sequence[dict[str, Any]], path: Path, section: str) -> None:
    # two spellings of one accented name look alike in tables, and are one file on some systems
    counts = Counter(unicodedata.normalize("NFC", entry["id"]) for entry in entries)
    repeated = next((name for name, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise InputError(
            f"The section '{section}' of the data list {path} has several entries with the id '{repeated}'; give each "
            "image its own."
        )


def _check_leak(sections: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Refuse a list with a picture in both sections, whichever section is asked for."""
    images = {section: {_identity(entry["image"]): entry for entry in entries} for section, entries in sections.items()}
    shared = sorted(images["training"][each]["image"] for each in images["training"].keys() & images["test"].keys())
    if shared:
        raise InputError(
            f"The data list {path} has pictures in 'training' as well as in 'test' ({len(shared)}, the first is "
            f"{Path(shared[0]).resolve()})."
        )


def _check_files(entries: Sequence[dict[str, Any]], path: Path) -> None:
    gone = [name for entry in entries for name in _files(entry) if not os.path.isfile(name)]
    others = [name for name in gone if os.path.lexists(name)]
    if others:
        raise InputError(
            f"The data list {path} names entries that cannot be read as files ({len(others)}, here is the first). "
            f"{missing_file(Path(others[0]))}"
        )
    if gone:
        raise InputError(
            f"The data list {path} names files that do not exist ({len(gone)}, the first is {gone[0]}); prepare "
            "the data again or correct the list."
        )


def _check_repeats(entries: Sequence[dict[str, Any]], path: Path, section: str) -> None:
    first: dict[Hashable, dict[str, Any]] = {}
    for entry in entries:
        # one picture may have the masks of several readers, each with an id of its own
        other = first.setdefault(tuple(_identity(name) for name in _files(entry)), entry)
        if other is not entry:
            raise InputError(
                f"The section '{section}' of the data list {path} has one pair of files twice, as '{other['id']}' and "
                f"as '{entry['id']}': {other['image']} and {entry['image']} are one file; take one entry out."
            )


def _identity(name: str) -> Hashable:
    """Return what all names of one file share, also through links."""
    try:
        status = os.stat(name)
    except OSError:
        return os.path.realpath(name)
    return status.st_dev, status.st_ino
