# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ECHO = 'echo "$PYTHONWARNINGS"'
MAKE = ["make", "--no-print-directory", "--eval", f"show: ; @{ECHO.replace('$', '$$')}", "show"]
CONTAINER = ["docker/entrypoint.sh", "shell", "bash", "-c", ECHO]
# as MONAI's ``create_workflow`` begins its warning, with one configuration file or several
WARN = "import warnings; warnings.warn(f'parsing config_file {files}: any value in it is resolved', stacklevel=2)"


NO_MAKE = pytest.mark.skipif(not (ROOT / "Makefile").exists(), reason="the container's image has no Makefile")


@pytest.mark.parametrize("command", [pytest.param(MAKE, marks=NO_MAKE), CONTAINER])
@pytest.mark.parametrize("before", ["", "error::FutureWarning"])
def test_only_foreign_bundles_are_warned_of(command: list[str], before: str) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": before}
    environment.pop("MAKEFLAGS", None)
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    filters = shown.stdout.strip()
    assert filters.startswith(before)

    def warning(files: object) -> str:
        program = [sys.executable, "-c", f"files = {files!r}; {WARN}"]
        done = subprocess.run(
            program, env={**environment, "PYTHONWARNINGS": filters}, capture_output=True, text=True, check=True
        )
        return done.stderr

    train = "bundles/nlcen_jsrt/train.json"
    assert warning(train) == warning([train, "bundles/nlcen_jsrt/networks/unet.json"]) == ""
    assert "parsing config_file foreign/train.json" in warning("foreign/train.json")
    assert "parsing config_file ['foreign/train.json'" in warning(["foreign/train.json", train])
