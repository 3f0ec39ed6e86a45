# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import argparse
import os
import sys

from mlflow.exceptions import MlflowException

from pipeline.utils import InputError

from .store import hide_credentials
from .ui import serve_ui
from .upload import upload_folder


def main() -> int:
    """Command line of ``python -m pipeline.tracking``."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.tracking")
    commands = parser.add_subparsers(dest="command", required=True)
    upload = commands.add_parser("upload", help="send what MLflow has not yet got of runs that have ended")
    upload.add_argument("folders", nargs="+", metavar="run folder")
    ui = commands.add_parser("ui", help="start MLflow's UI, and print the address of the newest experiment")
    ui.add_argument("--store", default="sqlite:///mlruns.db", help="default: %(default)s")
    ui.add_argument("--port", type=int, default=5000, help="default: %(default)s")
    options = parser.parse_args()
    # nothing waits for this program, unlike for a training
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    try:
        if options.command == "ui":
            return serve_ui(options.store, options.port)
        for folder in options.folders:
            print(f"{folder}: all figures are in the MLflow run {upload_folder(folder)}")
    except (InputError, MlflowException, OSError) as error:
        print(f"error: {hide_credentials(str(error))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
