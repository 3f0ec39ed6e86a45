# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pipeline.tracking import read_journal
from pipeline.tracking.journal import JOURNAL_NAME

from .cell_folder import CellFolder

__all__ = ["unsent_runs"]


def unsent_runs(folders: Iterable[CellFolder]) -> list[Path]:
    """Return the run folders of finished cells that MLflow has not got completely.

    That is so when a process was killed after it had written its result, or the store was too slow for it.
    """
    runs = (folder.result for folder in folders)
    return [run for run in runs if run is not None and not _is_sent(run)]


def _is_sent(run: Path) -> bool:
    """Whether the uploader has noted the end of the run, and nothing in the journal comes after it."""
    journal, note = run / JOURNAL_NAME, run / "upload.json"
    if not journal.exists():
        return True  # it was not tracked
    if not note.exists():
        return False
    noted = json.loads(note.read_text())
    return noted["status"] not in (None, "RUNNING") and next(read_journal(journal, noted["offset"]), None) is None
