# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag

from pipeline.inference import find_pictures, why_no_chest_radiograph
from pipeline.inference.chest_radiograph import CHEST_REGIONS, FRONTAL_VIEWS, REPLACED, known_code
from pipeline.transforms import read_dicom_tags
from tests.transforms.files import write_dicom

PIXELS = np.zeros((4, 4), np.uint8)
HAND, CHEST = ("85562004", "SCT", "Hand"), ("816094009", "SCT", "Chest")
LATERAL, PA = ("399067008", "SCT", "lateral"), ("272479007", "SCT", "postero-anterior")


def coded(*all_codes: tuple[str, str, str]) -> list[pydicom.Dataset]:
    items = []
    for value, scheme, meaning in all_codes:
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
        items.append(item)
    return items


def reason(tmp_path: Path, **tags: Any) -> str:
    """The reason for a file with these tags, through the reader; no warning may quote a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values are written here that the standard forbids
        path = write_dicom(tmp_path / "a.dcm", PIXELS, **tags)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return why_no_chest_radiograph(read_dicom_tags(path))


@pytest.mark.parametrize(
    "part",
    [
        "CHEST",
        "Chest ",
        "THORAX",
        "TORAX",
        "torax",
        "TORACE",
        "POUMON",
        "POUMONS",
        "PULMON",
        "CXR",
        "LUNG",
        "LUNGS",
        "LUNGE",
        "CHEST_PA",
        "CHEST PA LAT",
        "CHESTPA",
        "CHEST PORT",
        "CHEST 2V",
        "PORTCHEST",
        "CHESTABDOMEN",
        "NECKCHEST",
        "CHEST (THORAX)",
        "UNKNOWN",
        "-",
        "",
    ],
)
def test_parts_that_are_the_chest_or_none(part: str, tmp_path: Path) -> None:
    assert reason(tmp_path, BodyPartExamined=part) == ""


@pytest.mark.parametrize(
    ("part", "encoding"),
    [
        ("TÓRAX", "latin-1"),
        ("TÓRAX", "utf-8"),
        ("PULMÃO", "utf-8"),
        ("PŁUCA", "utf-8"),
        ("AKCİĞER", "utf-8"),
        ("胸部", "utf-8"),
    ],
)
def test_accents_in_code_strings(part: str, encoding: str, tmp_path: Path) -> None:
    # pydicom writes and reads code strings as Latin-1 whatever the character set
    assert reason(tmp_path, BodyPartExamined=part.encode(encoding).decode("latin-1")) == ""


@pytest.mark.parametrize(
    "part",
    [
        "HAND",
        "THORACIC SPINE",
        "TSPINE",
        "THORACIC",
        "CHEST SPINE",
        "COLUMNA TORAX",
        "CHEST WALL",
        "RIBS",
        "RIB",
        "STERNUM",
        "HEART",
        "BREAST",
        "ABDOMEN",
        "WHOLEBODY",
        "EINSTELLUNG",
        "PULMONARY ARTERY",
        "CLAVICLE",
    ],
)
def test_parts_that_are_not_the_chest(part: str, tmp_path: Path) -> None:
    assert reason(tmp_path, BodyPartExamined=part) == f"body part {part}"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (HAND, "region Hand"),
        (("T-D8700", "SRT", "Hand"), "region Hand"),
        (("T-D8700", "SNM3", "Hand"), "region Hand"),
        # the value counts, not the text
        (("85562004", "SCT", "Thorax"), "region Hand"),
        (("T-11502", "SRT", "Thoracic spine"), "region Thoracic spine"),
        (("1", "99X", "Main gauche"), "region Main gauche"),
        (("1", "99X", "Doe Jane, born in 1950"), "region Doe Jane, born i…"),
        (CHEST, ""),
        (("T-D3000", "SRT", "Chest"), ""),
        (("T-D3000", "99SDM", "Chest"), ""),
        (("51185008", "SCT", "Thorax"), ""),
        (("T-28000", "SRT", "Lung"), ""),
        (("39607008", "SCT", "Poumon"), ""),
        (("R-FAB55", "SRT", "Chest and Abdomen"), ""),
        (("816094009", "SCT", "Brust"), ""),
        (("1", "99X", "Thorax a.p."), ""),
        (("1", "99X", ""), ""),
        (("", "", ""), ""),
    ],
)
def test_anatomic_region_sequence(region: tuple[str, str, str], expected: str, tmp_path: Path) -> None:
    assert reason(tmp_path, AnatomicRegionSequence=coded(region)) == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        *((view, "") for view in ("PA", "AP", "pa", "AP ERECT", "ERECT", "PORTABLE", "AP AXIAL", "LORDOTIC", "")),
        # on one side, seen from the front
        *((view, "") for view in ("LLD", "RLD", "AP LLD", "LATERAL DECUB", "LAT DECUBITUS AP", "BILATERAL")),
        *(
            (view, f"view {view}")
            for view in (
                "LL",
                "RL",
                "LLO",
                "RLO",
                "LAT",
                "LATERAL",
                "LATERAL ERECT",
                "lateral",
                "Lat.",
                "L LAT",
                "LLAT",
            )
        ),
        *(
            (view, f"view {view}")
            for view in ("LEFT_LATERAL", "XTABLE LATERAL", "LATERALE", "PROFIL", "PERFIL", "seitl.")
        ),
        *((view, f"view {view}") for view in ("LAO", "RPO", "OBLIQUE", "AP OBL", "OBLICUA", "AP LAT", "LATERAL 2")),
        (["LATERAL", "ERECT"], "view LATERAL ERECT"),
    ],
)
def test_view_position(view: Any, expected: str, tmp_path: Path) -> None:
    assert reason(tmp_path, ViewPosition=view) == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (LATERAL, "view code lateral"),
        (("R-102CD", "SRT", "lateral"), "view code lateral"),
        (("R-10236", "SNM3", "left lateral"), "view code left lateral"),
        (("R-10218", "SRT", "right anterior oblique"), "view code right anterior oblique"),
        (("R-10222", "SRT", "Sagittal"), "view code Sagittal"),
        (("399173006", "SCT", "PA"), "view code left lateral"),
        (("1", "99X", "Thorax seitlich"), "view code Thorax seitlich"),
        (PA, ""),
        (("R-10214", "SRT", "postero-anterior"), ""),
        (("R-40888", "SRT", "postero-anterior"), ""),
        (("R-10206", "SNM3", "antero-posterior"), ""),
        (("399033003", "SCT", "Lateral"), ""),
        (("1", "99X", "Thorax p.a."), ""),
        (("1", "99X", "standing"), ""),
    ],
)
def test_view_code_sequence(view: tuple[str, str, str], expected: str, tmp_path: Path) -> None:
    assert reason(tmp_path, ViewCodeSequence=coded(view)) == expected


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (["A", "F"], "orientation A\\F"),
        (["P", "F"], "orientation P\\F"),
        (["F", "A"], "orientation F\\A"),
        (["PR", "FL"], "orientation PR\\FL"),
        (["L", "P"], "orientation L\\P"),
        (["L", "F"], ""),
        (["R", "F"], ""),
        (["F", "R"], ""),
        (["LP", "FA"], ""),
        (["L", ""], ""),
        (["L", "R"], ""),
        (["X", "F"], ""),
        ("A", ""),
        (["A", "F", "L"], ""),
        ("", ""),
    ],
)
def test_patient_orientation(orientation: Any, expected: str, tmp_path: Path) -> None:
    assert reason(tmp_path, PatientOrientation=orientation) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"BodyPartExamined": "CHEST", "AnatomicRegionSequence": coded(HAND)}, "region Hand, but body part CHEST"),
        ({"BodyPartExamined": "HAND", "AnatomicRegionSequence": coded(CHEST)}, "body part HAND, but region Chest"),
        ({"ViewPosition": "PA", "ViewCodeSequence": coded(LATERAL)}, "view code lateral, but view PA"),
        ({"ViewPosition": "LL", "ViewCodeSequence": coded(PA)}, "view LL, but view code postero-anterior"),
        ({"ViewPosition": "AP", "PatientOrientation": ["A", "F"]}, "orientation A\\F, but view AP"),
        ({"ViewPosition": "LL", "PatientOrientation": ["L", "F"]}, "view LL, but orientation L\\F"),
        # several regions are one picture's
        ({"AnatomicRegionSequence": coded(("818981001", "SCT", "Abdomen"), CHEST)}, ""),
        ({"BodyPartExamined": "CHESTLAT"}, "body part CHESTLAT"),
        ({"BodyPartExamined": "CHEST LAT", "ViewPosition": "PA"}, "body part CHEST LAT, but view PA"),
        ({"SeriesDescription": "Thorax lateral"}, "description LATERAL"),
        ({"ProtocolName": "Jane Doe, Torax perfil"}, "description PERFIL"),
        ({"AcquisitionDeviceProcessingDescription": "CHEST,LAT"}, "description LAT"),
        ({"SeriesDescription": "Chest PA and lateral"}, ""),
        ({"SeriesDescription": "LL"}, ""),
        ({"SeriesDescription": "Chest lateral", "ViewPosition": "PA"}, ""),
        ({"SeriesDescription": "Chest lateral", "PatientOrientation": ["L", "F"]}, ""),
        ({"AnatomicalOrientationType": "QUADRUPED", "BodyPartExamined": "THORAX"}, "quadruped"),
        ({"AnatomicalOrientationType": "BIPED"}, ""),
        ({"Modality": "RF"}, "modality RF, not CR or DX"),
        ({"Modality": "cr"}, ""),
    ],
)
def test_several_elements_together(tags: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert reason(tmp_path, **tags) == expected


@pytest.mark.parametrize(
    "item",
    [
        [],
        [pydicom.Dataset()],
        coded(("816094009", "", "")),
        coded(("", "SCT", "")),
    ],
)
@pytest.mark.parametrize("keyword", ["AnatomicRegionSequence", "ViewCodeSequence"])
def test_sequences_that_say_nothing(keyword: str, item: list[pydicom.Dataset], tmp_path: Path) -> None:
    assert reason(tmp_path, **{keyword: item}) == ""


@pytest.mark.parametrize(
    ("tag", "representation", "value"),
    [
        (0x00082218, "UN", b"no sequence"),
        (0x00082218, "LO", b"Hand"),
        (0x00540220, "UN", b"\xfe\xff\x00\xe0\xff\x00\x00\x00"),
        (0x00180015, "US", b"\x07\x00"),
        (0x00185101, "OB", b"LL"),
        (0x00200020, "DS", b"1\\2 "),
    ],
)
def test_malformed_elements_say_nothing(tag: int, representation: str, value: bytes, tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", PIXELS)
    data = pydicom.dcmread(path)
    # as it may stand in a file; pydicom's own elements refuse some of these
    data[tag] = RawDataElement(BaseTag(tag), representation, len(value), value, 0, False, True)
    data.save_as(path)
    tags = read_dicom_tags(path)
    assert tag in tags
    assert why_no_chest_radiograph(tags) == ""


def test_values_are_neither_warned_of_nor_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tags = {"BodyPartExamined": "Doe, Jane, of the long name", "ViewPosition": "Doe, Jane", "PatientOrientation": "Doe"}
    assert reason(tmp_path, **tags) == "body part Doe, Jane, of th…"
    caplog.clear()
    why_no_chest_radiograph(read_dicom_tags(tmp_path / "a.dcm"))
    assert caplog.text == ""


def test_codes_of_the_table_are_the_standards() -> None:
    """pydicom's dictionaries are made from PS3.16."""
    concepts = {code.value: code.meaning.lower() for code in codes.cid4031.concepts.values()}
    concepts |= {codes.SCT.Lung.value: "lung"}
    assert {value: concepts[value] for value in CHEST_REGIONS} == CHEST_REGIONS
    # all regions of the standard with a chest or lung in them are chests
    assert {value for value, meaning in concepts.items() if "chest" in meaning or "lung" in meaning} == set(
        CHEST_REGIONS
    )
    views = {code.value: code.meaning for code in codes.cid4010.concepts.values()}
    assert {value: views[value] for value in FRONTAL_VIEWS} == FRONTAL_VIEWS
    assert set(REPLACED.values()) <= concepts.keys() | views.keys()
    for concept in (*codes.cid4031.concepts.values(), *codes.cid4010.concepts.values()):
        assert known_code(concept.value, "SCT") == concept
    assert known_code("816094009", "99X") is None and known_code("816094009", "SRT") is None
    assert known_code("R-10206", "SRT") == Code("399348003", "SCT", "")


def test_hands_and_lateral_views_of_a_folder_are_counted_by_the_reason(tmp_path: Path) -> None:
    for name, tags in (
        ("chest", {"BodyPartExamined": "TORAX"}),
        ("hand1", {"AnatomicRegionSequence": coded(HAND)}),
        ("hand2", {"AnatomicRegionSequence": coded(("T-D8700", "SRT", "Hand"))}),
        ("side", {"ViewCodeSequence": coded(LATERAL)}),
    ):
        write_dicom(tmp_path / name, PIXELS, **tags)
    found = find_pictures(tmp_path, tmp_path / "results", why_no_chest_radiograph, original_names=True)
    assert [item["name"] for item in found.items] == ["chest"]
    assert found.ignored == {"region Hand": 2, "view code lateral": 1}
