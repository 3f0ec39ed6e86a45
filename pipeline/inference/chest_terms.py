# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
import unicodedata

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
