# SPDX-License-Identifier: Apache-2.0

"""What MLflow gets of a run: figures by way of a journal in the run's folder, which is the truth."""

from __future__ import annotations

from .closing_words import print_closing_words
from .store import check_store, connect, find_or_create_run, hide_credentials, resolve_tracking_uri
from .tracker import Tracker
from .upload import upload_folder

__all__ = [
    "Tracker",
    "check_store",
    "connect",
    "find_or_create_run",
    "hide_credentials",
    "print_closing_words",
    "resolve_tracking_uri",
    "upload_folder",
]
