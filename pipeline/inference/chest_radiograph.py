# SPDX-License-Identifier: Apache-2.0
"""Whether the tags of a DICOM file speak of a frontal chest radiograph."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, NamedTuple

from pydicom import Dataset
from pydicom.config import disable_value_validation
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

__all__ = [
    "CHEST_REGIONS",
    "FRONTAL_VIEWS",
    "frontal_words",
    "known_code",
    "names_chest",
    "names_nothing",
    "other_part_word",
    "other_view_words",
    "why_no_chest_radiograph",
    "why_no_picture",
]


# How DICOM files say that they show a chest, and from where. The codes are those of PS3.16 CID 4031 (regions) and CID
# 4010 (views), the defined terms those of PS3.16 Annex L (CHEST, LUNG) and of PS3.3 C.8.1.1 (AP, PA, LL, RL, LLD, RLD,
# LLO, RLO). What archives write in place of these terms has no source: it is the same words in other languages.

SNOMED = "SCT"
SNOMED_RT = "SRT"
SNOMED_DESIGNATORS = {"SNM3": SNOMED_RT, "99SDM": SNOMED_RT}  # earlier names, PS3.16 section 8.1

# codes that the standard has replaced
REPLACED = {
    "T-D3000": "816094009",  # chest
    "51185008": "816094009",
    "T-D3200": "816094009",  # intra-thoracic
    "43799004": "816094009",
    "R-10214": "272479007",  # postero-anterior
    "R-10218": "399356000",  # right anterior oblique
    "R-10222": "30730003",  # sagittal
}

# with the lungs in them
CHEST_REGIONS = {
    "816094009": "chest",
    "39607008": "lung",
    "86598002": "apex of lung",
    "416550000": "chest and abdomen",
    "416775004": "chest, abdomen and pelvis",
    "417437006": "neck and chest",
    "416152001": "neck, chest and abdomen",
    "416319003": "neck, chest, abdomen and pelvis",
}
FRONTAL_VIEWS = {"399033003": "frontal", "399348003": "antero-posterior", "272479007": "postero-anterior"}

# The texts are matched with upper-case words without accents, digits and signs. Parts of words count where nothing else
# holds them: a defined term may be CHESTABDOMEN.
CHEST = re.compile(
    r"CHEST|CXR|THORAX|TORAX|TORAKS|TORACE|(CAGE|CAJA|GABBIA) TH?ORAC|PECHO|BRUSTKORB|BORSTKAS|BRYSTKASSE|BROSTKORG"
    r"|KLATK\w+ PIERSIOW|HRUDNIK|MELLKAS|GOGUS|ГРУДН\w+ КЛЕТК|ΘΩΡΑΚ|胸部|胸片|흉부"
    r"|\bLUNG(S|E|EN|A|OR|ER)?\b|\bLONGEN\b|POUMON|PULMON|PULMAO|PULMOES|POLMON|\bP[LŁ]UC\w*|AKCIGER|KEUHKO|ЛЕГК|肺"
)
# what devices write where nobody has chosen a part
NOTHING = {"", "UNKNOWN", "UNDEFINED", "UNSPECIFIED", "NOT SPECIFIED", "NOTSPECIFIED", "NONE", "N A", "NA", "DEFAULT"}
# other parts that are named by the chest
NO_CHEST = re.compile(r"LUMB|LOMB|AORT|SPINE|SPINAL|VERTEBR|WIRBEL|COLUMN|COLONN|RACHIS|ARTER|VEIN|VENA|VALVE|\bWALL\b")
# in a description, where no element says the part: terms of PS3.16 Annex L, and some of their translations
OTHER_PART = re.compile(
    r"\b(HANDS?|WRIST|FINGERS?|THUMB|ELBOW|FOREARM|HUMERUS|SHOULDERS?|CLAVICLE|SCAPULA|FOOT|FEET|TOES?|ANKLE|HEEL"
    r"|CALCANEUS|KNEES?|PATELLA|LEGS?|TIBIA|FIBULA|FEMUR|THIGH|HIPS?|PELVIS|SACRUM|COCCYX|SKULL|HEAD|MANDIBLE|JAW|SINUS"
    r"|SPINE|[CLT]SPINE|ABDOMEN|ABD|KUB|BREASTS?|MANO|RODILLA|PELVE|CRANEO|HANDGELENK|KNIE|FUSS|BECKEN|SCHA?EDEL|GENOU"
    r"|CHEVILLE|POIGNET|BASSIN|CRANE)\b"
)
FRONTAL = re.compile(r"\b(P ?A|A ?P|FRONT\w*|ANTERO ?\w*|POSTERO ?\w*|FACE|LLD|RLD)\b|DECUBIT|正位|正面")
# lying on one side, and still seen from the front or the back
DECUBITUS = re.compile(r"\b(LAT\w* )?DECUB\w*( LAT\w*)?\b")
OTHER_VIEW = re.compile(
    r"\b([LR]L|[LR]?LAT[LR]?|[LR]TLAT|[LR]?LATER\w*|SAG|SAGIT\w*|CROSS ?TABLE|ML|LM|LADO|SIDE|PROFIL\w?|PERFIL"
    r"|SEITE|SEITL\w*|BOK|BOCZN\w*|БОКОВ\w*|[LR]LO|[LR][AP]O|OBL|OBLIK|OBLIQ\w*|OBLIC\w*|SCHRAE?G\w*)\b"
    r"|侧位|側位|側面|斜位"
)


def known_code(value: str, designator: str) -> Code | None:
    """Return the concept of CID 4031, CID 4010 or the lung that a code means, by its SNOMED CT value; None for others.

    Args:
        value: of SNOMED CT, or the identifier of SNOMED-RT that it had before.
        designator: of the coding scheme.
    """
    scheme = SNOMED_DESIGNATORS.get(designator, designator)
    if scheme in (SNOMED, SNOMED_RT) and value in REPLACED:
        value, scheme = REPLACED[value], SNOMED
    code = Code(value, scheme, "")
    known = (*codes.cid4031.concepts.values(), *codes.cid4010.concepts.values(), codes.SCT.Lung)
    # equal to SNOMED-RT's identifier, too
    return next((each for each in known if each == code), None)


def names_chest(text: str) -> bool:
    """Whether a text names the chest or the lungs, and no part that is named by them, such as the thoracic spine."""
    words = _words(text)
    return bool(CHEST.search(words)) and not NO_CHEST.search(words)


def names_nothing(text: str) -> bool:
    """Whether a text only holds the place of a name, such as ``UNKNOWN`` or ``-``."""
    return _words(text) in NOTHING


def frontal_words(text: str) -> str:
    """Return the first words in a text that mean a frontal view; empty if there are none."""
    found = FRONTAL.search(_words(text))
    return found[0] if found else ""


def other_part_word(text: str) -> str:
    """Return the first word in a text that means another part than the chest, where it does not name the chest too."""
    found = OTHER_PART.search(_words(text))
    return found[0] if found and not names_chest(text) else ""


def other_view_words(text: str) -> str:
    """Return the first word in a text that means a lateral or an oblique view; empty if there is none."""
    # what is joined to the name of the chest is a word of its own: CHESTLAT
    found = OTHER_VIEW.search(DECUBITUS.sub(" ", CHEST.sub(" ", _words(text))))
    return found[0] if found else ""


def _words(text: str) -> str:
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[^\W\d_]+", plain.upper()))


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
    """Return why a DICOM file is not a frontal chest radiograph, as far as it says; empty if it may be one.

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
