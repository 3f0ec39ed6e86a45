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

from .closing_words import inferring_command, print_closing_words
from .environment import describe_environment
from .fingerprint import fingerprint_config
from .journal import Journal, read_journal
from .mlflow_store import check_store
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
