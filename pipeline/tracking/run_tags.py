# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import getpass
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from pipeline.runs import describe_environment

__all__ = ["run_tags"]


def run_tags() -> dict[str, str]:
    """Return the tags of a run that say with what, and by whom, it was made."""
    tags = describe_environment()
    tags |= {"versions.mlflow": version("mlflow"), "mlflow.source.name": _program_name(), "mlflow.source.type": "LOCAL"}
    if "git.commit" in tags:
        tags["mlflow.source.git.commit"] = tags["git.commit"]
    # a container may run under a number that has no name
    with suppress(OSError, KeyError):
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _program_name() -> str:
    """The module of ``python -m module`` or the file name of the script, without its folder."""
    if "-m" in sys.orig_argv[:-1]:
        return sys.orig_argv[sys.orig_argv.index("-m") + 1]
    return Path(sys.argv[0]).name or "python"
