# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue

from pipeline.utils import InputError

from .cell import Cell
from .matrix import ROOT

__all__ = ["BUNDLE_PROGRAM", "bundle_command"]

BUNDLE_PROGRAM = (sys.executable, "-m", "monai.bundle")
_PARALLEL = "multi_gpu_train.json"  # beside the bundle's configuration, for training and evaluation


def bundle_command(
    cell: Cell, locations: Mapping[str, Any], program: Sequence[str] = BUNDLE_PROGRAM, processes: int = 1
) -> list[str]:
    """Return the command that runs a cell from the repository's root.

    Args:
        cell: the cell.
        locations: settings that say where it reads and writes and where it is shown; those that are None are left out.
        program: what stands for ``python -m monai.bundle``: Python's name and its arguments.
        processes: how many processes share the cell, started by ``torchrun``.

    Raises:
        InputError: if several processes are asked for and the bundle has no ``multi_gpu_train.json``.
    """
    config_files = list(cell.config_files)
    if processes > 1:
        config_files.append(str(Path(config_files[0]).with_name(_PARALLEL)))
        if not (ROOT / config_files[-1]).is_file():
            raise InputError(
                f"--processes {processes}: {cell.name} needs the file {config_files[-1]}, which is missing."
            )
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        program = [program[0], *launcher, *program[1:]]
    files = config_files[0] if len(config_files) == 1 else str(config_files)
    command = [*program, "run", cell.run_id, "--config_file", files]
    for key, value in {**cell.settings, **locations}.items():
        if value is not None or key in cell.settings:
            command += [f"--{key}", _text(value)]
    return command


def _text(value: Any) -> str:
    """What Fire, MONAI's command line, reads back as ``value``."""
    if isinstance(value, Path):
        # short and independent of where the repository lies, as far as that goes
        value = os.path.relpath(value, ROOT) if value.is_relative_to(ROOT) else str(value)
    text = str(value)
    return text if DefaultParseValue(text) == value else repr(value)
