# SPDX-License-Identifier: Apache-2.0
"""Makes the ordinary bundle command that runs a cell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue

from pipeline.utils import InputError

from .cells import Cell
from .matrix import ROOT

__all__ = ["bundle_command"]

_PARALLEL = "multi_gpu_train.json"  # beside the bundle's configuration, for training and evaluation


def bundle_command(cell: Cell, locations: Mapping[str, Any], processes: int = 1) -> list[str]:
    """Return what follows ``python -m`` in the command that runs a cell from the repository's root.

    Args:
        cell: the cell.
        locations: settings that say where it reads and writes and where it is shown.
        processes: how many processes share the cell, started by ``torchrun``.

    Raises:
        InputError: if several processes are asked for and the bundle has no ``multi_gpu_train.json``.
    """
    files = list(cell.config_files)
    launcher = []
    if processes > 1:
        files.append(str(Path(files[0]).with_name(_PARALLEL)))
        if not (ROOT / files[-1]).is_file():
            raise InputError(f"processes {processes}: {cell.name} needs the file {files[-1]}, which is missing.")
        launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    command = [*launcher, "monai.bundle", "run", cell.run_id, "--config_file"]
    command.append(files[0] if len(files) == 1 else str(files))
    for key, value in {**cell.settings, **locations}.items():
        command += [f"--{key}", _text(value)]
    return command


def _text(value: Any) -> str:
    """What Fire, MONAI's command line, reads back as ``value``."""
    if isinstance(value, Path):
        # short and independent of where the repository lies, as far as that goes
        value = os.path.relpath(value, ROOT) if value.is_relative_to(ROOT) else str(value)
    text = str(value)
    return text if DefaultParseValue(text) == value else repr(value)
