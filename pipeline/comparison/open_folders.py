# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from .cell_fingerprint import fingerprint_cells
from .cell_folder import CellFolder
from .cells import make_cells
from .matrix import Matrix

__all__ = ["open_folders"]


def open_folders(matrix: Matrix, results_dir: Path) -> dict[str, CellFolder]:
    """Return the folders of all cells of a matrix by the cells' names, none before those that it needs.

    Nothing is made on the disk: ``collect(open_folders(matrix, results_dir).values())`` is the table of what is there.

    Raises:
        InputError: if a configuration file does not exist or cannot be read.
    """
    cells = make_cells(matrix)
    fingerprints = fingerprint_cells(cells)
    folders: dict[str, CellFolder] = {}
    for cell in cells:
        needs = {setting: folders[name] for setting, name in cell.needs.items()}
        folders[cell.name] = CellFolder(results_dir, cell, fingerprints[cell.name], needs)
    return folders
