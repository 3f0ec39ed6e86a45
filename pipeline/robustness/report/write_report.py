# SPDX-License-Identifier: Apache-2.0
"""Writes the report of an assessment: figures as JSON, page, scores and pictures."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from pipeline.robustness.assessment import Assessment
from pipeline.utils import atomic_path

from .check_report import check_report
from .figures import draw_figures
from .gallery import save_gallery_picture
from .make_report import make_report
from .page import make_page

__all__ = ["write_report"]

logger = logging.getLogger(__name__)

# what is whole without the other files
_LASTING = ("report.json", "report.html", "scores.parquet")


def write_report(assessment: Assessment, folder: Path) -> list[Path]:
    """Write ``report.json``, ``report.html``, ``scores.parquet``, the diagrams and ``gallery/<place>.png``.

    The page is made from ``report.json`` and the pictures alone. Pictures of an earlier gallery are removed. The report
    of another assessment is renamed, its scores and its page with it, by its SHA-256: ``report_0c8dcb3967ef.json``.

    Args:
        assessment: what was found.
        folder: where to write; made if it is absent.

    Returns:
        The files written, ``report.html`` and ``report.json`` first.

    Raises:
        InputError: see ``make_report``.

    Example:
        >>> files = write_report(assessment, Path("robustness"))
    """
    report = make_report(assessment)
    check_report(report)
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    _keep_earlier(folder, text)
    drawn = draw_figures(report, folder)
    for entry, shown in zip(report["gallery"], assessment.gallery, strict=True):
        save_gallery_picture(shown, folder / entry["file"])
        drawn.append(folder / entry["file"])
    for old in (folder / "gallery").glob("[0-9][0-9].png"):
        if old not in drawn:
            old.unlink()
    with atomic_path(folder / "scores.parquet") as path:
        assessment.scores.to_parquet(path, index=False)
    with atomic_path(folder / "report.json") as path:
        path.write_text(text, encoding="utf-8")
    figures = {file.relative_to(folder).as_posix(): file.read_bytes() for file in drawn}
    with atomic_path(folder / "report.html") as path:
        path.write_text(make_page(report, figures), encoding="utf-8")
    return [folder / "report.html", folder / "report.json", folder / "scores.parquet", *drawn]


def _keep_earlier(folder: Path, text: str) -> None:
    """Rename the report of another assessment: hours of work, whose place this one would take."""
    file = folder / "report.json"
    if not file.is_file() or _undated(file.read_text(encoding="utf-8", errors="replace")) == _undated(text):
        return
    mark = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    for earlier in filter(Path.is_file, (folder / name for name in _LASTING)):
        earlier.replace(earlier.with_stem(f"{earlier.stem}_{mark}"))
    logger.warning("%s held the report of another assessment, which is report_%s.html now.", folder, mark)


def _undated(text: str) -> list[str]:
    """The lines of a report without what differs when the same command is typed again."""
    return [line for line in text.splitlines() if not line.lstrip().startswith('"date":')]
