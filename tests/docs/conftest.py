# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from pipeline.robustness import BUDGETS, Budget, GalleryPicture, assessor


@pytest.fixture
def quick_assessments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Assessments with few gradients, one check and no diagrams; all of these have tests of their own."""
    monkeypatch.setitem(BUDGETS, "quick", Budget((2.0, 8.0, 32.0), {"dice": 2}, 2, 2, 2))
    monkeypatch.setattr(assessor, "CHECKS", assessor.CHECKS[:1])
    monkeypatch.setattr(assessor, "corrupted_scores", lambda *arguments, **options: [])
    writing = import_module("pipeline.robustness.report.write_report")
    monkeypatch.setattr(writing, "draw_figures", lambda report, folder: [])
    monkeypatch.setattr(writing, "save_gallery_picture", draw_nothing)
    monkeypatch.setattr(writing, "make_page", lambda report, figures: "")


def draw_nothing(shown: GalleryPicture, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
