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

import argparse
import sys

from mlflow.exceptions import MlflowException

from pipeline.utils import InputError

from .uploader import upload_folder


def main() -> int:
    """Command line of ``python -m pipeline.tracking``."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.tracking")
    commands = parser.add_subparsers(dest="command", required=True)
    upload = commands.add_parser("upload", help="send what MLflow has not yet got of runs that have ended")
    upload.add_argument("folders", nargs="+", metavar="run folder")
    for folder in parser.parse_args().folders:
        try:
            print(f"{folder}: all figures are in the MLflow run {upload_folder(folder)}")
        except (InputError, MlflowException) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
