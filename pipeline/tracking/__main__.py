# SPDX-License-Identifier: Apache-2.0

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
