# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .closing_words import inferring_command, print_closing_words
from .environment import describe_environment
from .fingerprint import fingerprint_config
from .journal import Journal, read_journal
from .mlflow_store import check_store, connect, find_or_create_run, hide_credentials, resolve_tracking_uri
from .run_directory import RunDirectory, open_run
from .tracker import Tracker
from .uploader import Uploader, upload_folder

__all__ = [
    "Journal",
    "RunDirectory",
    "Tracker",
    "Uploader",
    "check_store",
    "describe_environment",
    "fingerprint_config",
    "inferring_command",
    "open_run",
    "print_closing_words",
    "read_journal",
    "upload_folder",
]
