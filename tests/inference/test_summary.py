# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.inference import FoundPictures, summarize
from pipeline.utils import InputError, Notes

FOUND = FoundPictures(Path("pictures"), Path("results"), [{"image": "a"}, {"image": "b"}, {"image": "c"}])


def test_success_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    summarize(FOUND, [])
    assert capsys.readouterr().out == "Pictures segmented: 3 of 3; output folder: results\n"


def test_every_entry_is_in_one_count_and_every_remark_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(FOUND, skipped={"other files": 2}, ignored={"view LATERAL": 1})
    notes = Notes()
    for number, name in enumerate("abc"):
        notes.add(name, f"It has {number} bits.")
    notes.add("d", "Dark.")
    notes.add("\udce9", "")
    summarize(found, [], (), notes, ["a: the mask is empty."], "Not checked.")
    assert capsys.readouterr().out.splitlines() == [
        "note: a: It has 0 bits. There are 3 notes of this kind.",
        "note: d: Dark.",
        "implausible: a: the mask is empty.",
        "Not checked.",
        "DICOM files ignored: 1 (view LATERAL)",
        "skipped: 2 other files",
        "Pictures segmented: 3 of 3; output folder: results",
    ]


def test_failures_raise_after_that_line(capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(FOUND, failures=["The folder d cannot be opened."])
    with pytest.raises(InputError) as error:
        summarize(found, ["The file b is damaged."], ["c has no DICOM SEG."])
    assert str(error.value) == (
        "1 of 3 pictures could not be segmented; 1 folders could not be read; 1 of 3 pictures have no DICOM SEG. The "
        "lines that begin with 'failed' say why."
    )
    assert capsys.readouterr().out.splitlines() == [
        "failed: The folder d cannot be opened.",
        "Pictures segmented: 2 of 3; output folder: results",
    ]


def test_a_name_that_is_no_utf8_is_printed_with_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    summarize(replace(FOUND, output_dir=Path("caf\udce9")), [])
    assert capsys.readouterr().out == "Pictures segmented: 3 of 3; output folder: caf\\udce9\n"
