# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

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
