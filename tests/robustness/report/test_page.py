# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.figures.pictures import PREDICTED, TRUE
from pipeline.robustness import Assessment, GalleryPicture
from pipeline.robustness.report import make_page, write_report
from pipeline.robustness.report.gallery import save_gallery_picture

from . import assessments

MAKERS = ("undefended", "leaking", "constant", "volumes", "erased_class", "one_image", "all_empty")


class Text(HTMLParser):
    """What a reader sees, and what the page loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self.parts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robustness")
    (folder / "gallery").mkdir()
    (folder / "gallery" / "09.png").touch()
    files = write_report(assessments.undefended(), folder)
    assert set(files) == {path for path in folder.rglob("*") if path.is_file()}
    return folder


def scores(value: Any) -> Iterator[float]:
    """Every score of a part of the report."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ("images", "found_by", "severity", "epsilon", "breaks_at", "at_least", "gradients"):
                yield from scores(item)
    elif isinstance(value, list):
        for item in value:
            yield from scores(item)
    elif isinstance(value, float):
        yield value


def test_all_files_are_there_and_hold_what_was_given(written: Path) -> None:
    names = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
    pictures = {
        f"{name}.png" for name in ("curves", "convergence", "corruptions", "sensitivity", "gallery/01", "gallery/02")
    }
    assert names == {"report.json", "report.html", "scores.parquet"} | pictures
    pd.testing.assert_frame_equal(pd.read_parquet(written / "scores.parquet"), assessments.undefended().scores)
    assert json.loads((written / "report.json").read_text()) == assessments.report_of("undefended")


def test_the_page_holds_each_number_of_the_report(written: Path) -> None:
    report = json.loads((written / "report.json").read_text())
    page = Text((written / "report.html").read_text())
    shown = ("clean", "attacks", "worst_case", "floor", "ceiling", "sameness", "corruptions", "gallery")
    found = [value for key in shown for value in scores(report[key])]
    found += [value for row in report["per_image"][:10] for value in scores(row)]
    assert len(found) == 150
    for value in found:
        assert f"{value:.3f}" in page.text
    for sentence in [*report["findings"], *report["instructions"]]:
        assert sentence in page.text
    for check in report["checks"]:
        assert check["name"] in page.text and check["meaning"] in page.text
    for fact in ("c0ffee", "ab" * 32, "torch 2.13.0, monai 1.6.1", "--budget quick", "100 gradients", "0 to 255"):
        assert fact in page.text


def test_the_page_changes_with_the_report_alone() -> None:
    """Nothing is typed by hand: other numbers in the report are other numbers on the page."""
    report = assessments.report_of("undefended")
    report["worst_case"]["8"]["DIC"] = 0.12345
    report["attacks"]["shrink"]["32"]["JSC"] = 0.54321
    text = Text(make_page(report, {})).text
    assert "0.123" in text and "0.543" in text and "0.098" in " ".join(report["findings"])


@pytest.mark.parametrize("stated", ["Research only", "Research only."])
def test_what_the_bundle_says_of_its_use_is_quoted(stated: str) -> None:
    report = assessments.report_of("undefended")
    without = Text(make_page(report, {})).text
    assert "The intended use is for the maker to state." in without and "version of the bundle" not in without
    report["facts"] |= {"intended_use": stated, "bundle_version": "0.3.1"}
    text = Text(make_page(report, {})).text
    assert "The bundle states as its intended use: “Research only.” What is said" in text
    assert "for the maker to state" not in text
    assert re.search(r"version of the bundle\s+0\.3\.1", text)


def test_the_page_explains_its_measures_and_names_the_files_behind_it() -> None:
    report = assessments.report_of("undefended")
    text = Text(make_page(report, {})).text
    assert "DIC: Dice index of predicted and true mask; 1 is perfect" in text and "'paper' as they are" in text
    assert "JSC is the Jaccard index" in text and "HD95 the 95th percentile" in text and "NSD the part of the" in text
    report["facts"] |= {
        "preprocessing": ["LoadImaged", "ScaleIntensityRanged"],
        "inferer": "SlidingWindowInferer (roi_size 64, 64)",
        "configuration_sha256": {"configs/train.json": "ef" * 32},
        "versions": {"versions.torch": "2.13.0", "host.id": "5bce98f7"},
    }
    del report["attacks"]["paper"]
    text = Text(make_page(report, {})).text
    assert "before any attack LoadImaged, ScaleIntensityRanged" in text and "roi_size 64, 64" in text
    assert f"SHA-256 of configs/train.json {'ef' * 32}" in text and "torch 2.13.0, host.id 5bce98f7" in text
    assert "'paper' in black" not in text and "the noise as it is" in text


def test_the_page_says_what_was_attacked_and_where_corruptions_act() -> None:
    report = assessments.report_of("undefended")
    text = Text(make_page(report, {})).text
    assert "at each pixel the class with the highest output (argmax)" in text
    assert "postprocessing (AsDiscreted, KeepLargestConnectedComponentd) is not applied, so that figures on" in text
    assert "applied to the picture as the network gets it, after the preprocessing" in text
    assert "zero is the lower end of the range in section 1" in text and "Not tried" not in text
    assert "What a scanner" not in text and re.search(r"values of these pictures\s+0 to 250", text)
    del report["facts"]["postprocessing"]
    report["facts"]["corruptions_without_zero"] = ["shot noise", "overexposure"]
    text = Text(make_page(report, {})).text
    assert "No other postprocessing is applied." in text and "Not tried: shot noise, overexposure (2)." in text
    assert "zero is the lower end" not in text


def test_the_page_has_the_score_of_each_class_and_how_many_images_have_it() -> None:
    report = assessments.report_of("erased_class")
    text = Text(make_page(report, {})).text
    for place, clean in enumerate(report["clean"]["classes"]):
        cells = [f"{value:.3f}" for value in [clean, *(row["classes"][place] for row in report["worst_case"].values())]]
        assert re.search(rf"\s{place + 1}\s+{[12, 12, 7][place]}\s+" + r"\s+".join(map(re.escape, cells)), text)
    assert "images that have it" not in Text(make_page(assessments.report_of("undefended"), {})).text


def test_it_opens_offline_and_names_are_text(written: Path) -> None:
    content = (written / "report.html").read_text()
    page = Text(content)
    assert "NLCEN <b>on</b> phantoms" in page.text and "b" not in page.tags and "script" not in page.tags
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.loaded)
    pictures = [base64.b64decode(link.split(",")[1]) for link in page.loaded if link.startswith("data:")]
    assert sorted(pictures) == sorted(path.read_bytes() for path in written.rglob("*.png"))
    anchors = set(re.findall(r'id="(\w+)"', content))
    assert {link[1:] for link in page.loaded if link.startswith("#")} <= anchors
    assert {f"s{number}" for number in range(1, 16)} <= anchors


@pytest.mark.parametrize("make", MAKERS)
def test_hostile_names_stay_text_everywhere(make: str) -> None:
    text = json.dumps(assessments.report_of(make))
    report = json.loads(text.replace("paper", "<b>p").replace("image_", "<b>i").replace("dice", "$<b>$"))
    page = Text(make_page(report, {}))
    assert "b" not in page.tags and "<b>" in page.text


@pytest.mark.parametrize("make", ["leaking", "volumes", "all_empty"])
def test_every_kind_is_written_and_says_what_it_lacks(make: str, tmp_path: Path) -> None:
    assessment = getattr(assessments, make)()
    write_report(assessment, tmp_path)
    page = Text((tmp_path / "report.html").read_text()).text
    report = json.loads((tmp_path / "report.json").read_text())
    assert all(sentence in page for sentence in report["findings"])
    assert (
        "None was tried." in page and "not given" in page and "nan" not in page.lower() and "None was computed." in page
    )
    assert not (tmp_path / "corruptions.png").exists()


def test_strange_names_can_be_drawn(tmp_path: Path) -> None:
    scores = assessments.scores_of(0.9, {r"a$\frac$": (0.8, 0.7, 0.6), "_b": (0.8, 0.7, 0.6)}, images=2)
    write_report(Assessment(scores=scores, epsilons=assessments.EPSILONS), tmp_path)
    assert Image.open(tmp_path / "curves.png").size[0] == 1400


def test_pictures_have_masks_in_their_colors_and_the_perturbation_scaled(tmp_path: Path) -> None:
    def colors(prediction: np.ndarray) -> set[tuple[int, ...]]:
        flat, ones = np.full((1, 32, 48), 100.0), np.zeros((32, 48), dtype=int)
        ones[8:24, 8:24] = 1
        attacked = flat + np.where(np.arange(48) < 24, 4.0, -2.0)
        shown = GalleryPicture("a", 4.0, "dice", 0.5, 0.9, flat, attacked, ones, prediction, prediction)
        save_gallery_picture(shown, tmp_path / "a.png")
        picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
        middle = picture[:, picture.shape[1] * 2 // 5 : picture.shape[1] * 3 // 5]
        # -ε/2, half of the picture, is half-way to black
        assert (np.abs(middle - 63.75) < 1).all(-1).mean() > 0.2
        return {tuple(color) for color in picture[: -picture.shape[0] // 4].reshape(-1, 3).tolist()}

    red, cyan = (tuple(int(text[place : place + 2], 16) for place in (1, 3, 5)) for text in (TRUE, PREDICTED))
    nothing, classes = np.zeros((32, 48), dtype=int), np.zeros((32, 48), dtype=int)
    classes[4:12, 30:44] = 3
    assert {red, cyan} & colors(nothing) == {red}
    assert {red, cyan} <= colors(classes)
