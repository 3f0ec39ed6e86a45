# SPDX-License-Identifier: Apache-2.0

"""Folders of runs: names, locks, with what each was made, what it cost and gave; nothing of MLflow."""

from __future__ import annotations

from .environment import code_in_use, describe_code, describe_device, describe_environment, device_name
from .fingerprint import IGNORED_KEYS, fingerprint_config
from .folder_lock import FolderLock
from .kept_results import KeptResults, content_digest
from .packaged_code import SOURCE, code_digest, packaged_code
from .result import add_cost, read_cost, write_result
from .run_directory import RunDirectory, is_live, lock_run, open_run, read_run, read_runs

__all__ = [
    "IGNORED_KEYS",
    "SOURCE",
    "FolderLock",
    "KeptResults",
    "RunDirectory",
    "add_cost",
    "code_digest",
    "code_in_use",
    "content_digest",
    "describe_code",
    "describe_device",
    "describe_environment",
    "device_name",
    "fingerprint_config",
    "is_live",
    "lock_run",
    "open_run",
    "packaged_code",
    "read_cost",
    "read_run",
    "read_runs",
    "write_result",
]
