# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any, NamedTuple

from pydicom import Dataset
from pydicom.config import disable_value_validation
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from .chest_terms import (
    CHEST_REGIONS,
    FRONTAL_VIEWS,
    frontal_words,
    known_code,
    names_chest,
    names_nothing,
    other_part_word,
    other_view_words,
)

__all__ = ["why_no_chest_radiograph", "why_no_picture"]

MODALITIES = ("CR", "DX")
# free text: it may be that of all pictures of an examination, so it counts only where nothing else says the view
DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
# PS3.3 C.7.6.1.1.1, of bipeds
AXES = {"L": "left-right", "R": "left-right", "A": "front-back", "P": "front-back", "H": "long", "F": "long"}
LONGEST = 16  # of a value that is shown: PS3.5 allows no longer code string, so that what is longer is free text


class Statement(NamedTuple):
    """What one element of a file says: its name, the value to show, and whether it is what is sought."""

    name: str
    shown: str
    fits: bool


def why_no_picture(tags: Dataset) -> str:
    """Return why a DICOM file cannot be a picture, such as a report; empty if it can."""
    # what cannot be read has no tags at all: reading its pixels says what is wrong
    return "no picture" if tags and "Rows" not in tags else ""


def why_no_chest_radiograph(tags: Dataset) -> str:
    """Return why a DICOM file is no frontal chest radiograph, as far as it says; empty if it may be one.

    The modality must be CR or DX. The part is what Body Part Examined and Anatomic Region Sequence say, the view what
    View Position, View Code Sequence and Patient Orientation say, in the terms of ``chest_terms``. One that says
    another part or view is enough, and a reason tells where another contradicts it. A part or a view that the file
    does not name, as many do not, is no reason; if none of these names the view, a description that means a lateral or
    oblique view, and no frontal one, is; if none names the part, a description that means another is.

    Args:
        tags: from ``read_dicom_tags``.
    """
    reason = why_no_picture(tags)
    if reason or not tags:
        return reason
    # pydicom converts values only now, and would warn of them and log them, with what they hold
    with disable_value_validation():
        modality = _text(tags, "Modality").upper()
        if modality not in MODALITIES:
            return f"modality {_short(modality) or 'not given'}, not {' or '.join(MODALITIES)}"
        if _text(tags, "AnatomicalOrientationType").upper() == "QUADRUPED":
            return "quadruped"
        views = [*_view_positions(tags), *_view_codes(tags), *_orientations(tags)]
        return _objection(_parts(tags) or _described_parts(tags)) or _objection(views or _described_views(tags))


def _objection(statements: list[Statement]) -> str:
    others = [each for each in statements if not each.fits]
    if not others:
        return ""
    reason = f"{others[0].name} {others[0].shown}"
    fitting = [each for each in statements if each.fits]
    return f"{reason}, but {fitting[0].name} {fitting[0].shown}" if fitting else reason


def _parts(tags: Dataset) -> list[Statement]:
    parts = []
    text = _text(tags, "BodyPartExamined")
    if not names_nothing(text):
        parts.append(Statement("body part", _short(text), names_chest(text)))
    regions = [
        Statement("region", known.meaning, known.value in CHEST_REGIONS)
        if known
        else Statement("region", _short(code.meaning), names_chest(code.meaning))
        for code, known in _codes(tags, "AnatomicRegionSequence")
        if known or not names_nothing(code.meaning)
    ]
    # several are one region, such as chest and abdomen
    return [*parts, *sorted(regions, key=lambda region: not region.fits)[:1]]


def _described_parts(tags: Dataset) -> list[Statement]:
    words = [other_part_word(_text(tags, keyword)) for keyword in DESCRIPTIONS]
    return [Statement("description", word, False) for word in words if word]


def _view_positions(tags: Dataset) -> list[Statement]:
    views = []
    text = _text(tags, "ViewPosition")
    other = other_view_words(text)
    if other or frontal_words(text):
        views.append(Statement("view", _short(text), not other))
    # CHEST LAT; the name of an examination, CHEST PA LAT, does not tell which of its pictures this is
    part = _text(tags, "BodyPartExamined")
    other, frontal = other_view_words(part), frontal_words(part)
    if bool(other) != bool(frontal):
        views.append(Statement("body part", _short(part), not other))
    return views


def _view_codes(tags: Dataset) -> list[Statement]:
    views = []
    for code, known in _codes(tags, "ViewCodeSequence"):
        other, frontal = other_view_words(code.meaning), frontal_words(code.meaning)
        if known:
            views.append(Statement("view code", known.meaning, known.value in FRONTAL_VIEWS))
        elif other or frontal:
            views.append(Statement("view code", _short(code.meaning), not other))
    return views


def _orientations(tags: Dataset) -> list[Statement]:
    """The directions of the rows and of the columns, by their first letters; what else they lean to says no view."""
    directions = _text(tags, "PatientOrientation").upper().split()
    if len(directions) != 2 or not set("".join(directions)) <= AXES.keys():
        return []
    axes = {AXES[direction[0]] for direction in directions}
    if len(axes) != 2:
        return []
    return [Statement("orientation", "\\".join(map(_short, directions)), axes == {"left-right", "long"})]


def _described_views(tags: Dataset) -> list[Statement]:
    found = []
    for keyword in DESCRIPTIONS:
        text = _text(tags, keyword)
        other = other_view_words(text)
        # two letters, such as LL, mean much else
        if len(other) > 2 and not frontal_words(text):
            found.append(Statement("description", other, False))
    return found


def _codes(tags: Dataset, keyword: str) -> list[tuple[Code, Code | None]]:
    """The codes in a sequence, each with the concept of ``known_code``."""
    items = _value(tags, keyword)
    if not isinstance(items, Sequence):
        return []
    texts = [[_text(item, f"Code{part}") for part in ("Value", "Meaning")] for item in items]
    schemes = [_text(item, "CodingSchemeDesignator") for item in items]
    return [
        (Code(value, scheme, meaning), known_code(value, scheme))
        for (value, meaning), scheme in zip(texts, schemes, strict=True)
    ]


def _text(tags: Dataset, keyword: str) -> str:
    """An element's text, several values with blanks between them; empty where it is absent or no text."""
    value = _value(tags, keyword)
    texts = value if isinstance(value, MultiValue) else [value]
    joined = " ".join(text.strip(" \0") for text in texts if isinstance(text, str))
    try:
        # code strings are ASCII by the standard; where they are not, they mostly are UTF-8
        return joined.encode("latin-1").decode()
    except UnicodeError:
        return joined


def _value(tags: Dataset, keyword: str) -> Any:
    try:
        return tags.get(keyword)
    except Exception:  # pydicom raises nearly anything for a malformed value, which says nothing
        return None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
