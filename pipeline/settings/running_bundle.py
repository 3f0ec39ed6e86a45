# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow
from monai.bundle.config_parser import ConfigParser
from monai.bundle.scripts import create_workflow, run

from pipeline.utils import InputError

__all__ = ["bundle_root", "command_line", "merged_config", "running_parser", "running_workflow"]

# MONAI hands an expression the resolved objects (@key), but neither the parser, the workflow nor the command line. They
# are looked up where they must be: an expression is evaluated from within methods of these, whose frames are on the
# call stack.


def bundle_root() -> str:
    """Return the folder of the running bundle, that of its first configuration file or the one above ``configs``.

    Example:
        ``"bundle_root": "$settings.bundle_root()"``
    """
    workflow = running_workflow()
    folder = Path() if workflow is None else workflow.config_root_path
    return str(folder.parent if folder.name == "configs" else folder)


def merged_config() -> dict[str, Any]:
    """Return the configuration of the running MONAI bundle: all files and overrides merged, nothing evaluated.

    Returns:
        A copy of the configuration as MONAI has merged it, macros (``%key``) replaced, without the metadata.

    Raises:
        InputError: if it is not called in an expression of a bundle.
    """
    config = running_parser("merged_config").get()
    return copy.deepcopy({key: value for key, value in config.items() if key != ConfigParser.meta_key})


def running_parser(caller: str) -> ConfigParser:
    """Return the innermost parser, the one that evaluates the expression in which ``caller`` is called.

    Raises:
        InputError: if it is not called in an expression of a bundle.
    """
    for local in _locals():
        parser = local.get("self")
        if isinstance(parser, ConfigParser):
            return parser
    raise InputError(f"{caller}() was called outside a MONAI bundle: call it in an expression of its configuration.")


def running_workflow() -> ConfigWorkflow | None:
    """Return the workflow that runs the bundle, None where MONAI's parser is used without one."""
    return next((local["self"] for local in _locals() if isinstance(local.get("self"), ConfigWorkflow)), None)


def command_line() -> tuple[Any, dict[str, Any]]:
    """Return the bundle's configuration files and the overrides of them that ``python -m monai.bundle run`` was given.

    Returns:
        files, as MONAI's parser takes them, and values by key, also those that are None, which MONAI drops; no
        overrides where MONAI's command line is not used.
    """
    frame = sys._getframe()
    # the workflow is made and initialized by the one, and run by the other
    while frame is not None and frame.f_code not in (create_workflow.__code__, run.__code__):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return (), {}
    local = frame.f_locals
    given = local["override"] if frame.f_code is run.__code__ else local["kwargs"] | local["_args"]
    of_monai = inspect.signature(ConfigWorkflow).parameters
    return local["config_file"], {key: value for key, value in given.items() if key not in of_monai}


def _locals() -> Iterator[dict[str, Any]]:
    """The local variables of each function on the call stack, the innermost first."""
    frame = sys._getframe().f_back
    while frame is not None:
        yield frame.f_locals
        frame = frame.f_back
