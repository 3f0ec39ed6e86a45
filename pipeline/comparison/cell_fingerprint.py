# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from pipeline.tracking import fingerprint_config
from pipeline.tracking.fingerprint import IGNORED_KEYS
from pipeline.utils import InputError
from pipeline.weights import fingerprint_file

from .cell import Cell
from .matrix import ROOT

__all__ = ["fingerprint_cells"]

# what only shows a cell
_IGNORED = IGNORED_KEYS | {"description", "tracker"}


def fingerprint_cells(cells: Iterable[Cell]) -> dict[str, str]:
    """Return for each cell's name a fingerprint of all that its result depends on, but for data and code.

    That is its configuration, all files merged, its settings, the content of the file that its ``backbone_weights``
    name, and the same of the cells whose weights it takes.

    Args:
        cells: none before those that it needs.

    Raises:
        InputError: if a configuration file or that of the backbone's weights cannot be read.
    """
    fingerprints: dict[str, str] = {}
    for cell in cells:
        content = {
            "run_id": cell.run_id,
            "config": _merged(cell.config_files),
            "settings": cell.settings,
            # pairs, since a run's own fingerprint ignores keys of such names, where they hold places
            "needs": sorted((setting, fingerprints[name]) for setting, name in cell.needs.items()),
        }
        if cell.settings.get("backbone_weights") is not None:
            content["backbone_content"] = _hash_file(cell.settings["backbone_weights"])
        fingerprints[cell.name] = fingerprint_config(content, _IGNORED)
    return fingerprints


def _hash_file(name: str) -> str:
    file = ROOT / name
    if not file.is_file():
        raise InputError(f"backbone_weights: there is no file {file}; correct the matrix.")
    return fingerprint_file(file)


@lru_cache
def _merged(files: tuple[str, ...]) -> Any:
    """The content of configuration files as MONAI merges them, macros (``%file::key``) replaced."""
    parser = ConfigParser()
    folder = Path.cwd()
    os.chdir(ROOT)
    try:
        parser.read_config(list(files))
        parser.resolve_macro_and_relative_ids()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"The configuration of {' and '.join(files)} cannot be read ({error}).") from error
    finally:
        os.chdir(folder)
    return parser.get()
