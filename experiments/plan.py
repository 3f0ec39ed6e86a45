# SPDX-License-Identifier: Apache-2.0
"""Plans a matrix: what each cell's result depends on, and the file in which Snakemake and the report read the cells."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from pipeline.runs import IGNORED_KEYS, fingerprint_config
from pipeline.transforms import datalist_fingerprint
from pipeline.utils import InputError, atomic_path
from pipeline.weights import fingerprint_file

from .cells import Cell, make_cells
from .matrix import ROOT, Matrix

__all__ = ["Plan", "PlannedCell", "make_plan", "read_plan", "write_plan"]

_NAME = "plan.json"
# what only shows a cell
_IGNORED = IGNORED_KEYS | {"description", "tracker"}


@dataclass(frozen=True, kw_only=True)
class PlannedCell(Cell):
    """A cell and what its result depends on.

    Attributes:
        dataset_dir: the folder of its data.
        data_description: what the data list says that the data is; empty if it says nothing.
        fingerprint: of its configuration, settings and data, and the same of the cells whose weights it takes.
    """

    dataset_dir: str
    data_description: str
    fingerprint: str

    @property
    def finished(self) -> str:
        """The file in the folder of results that is written last, and says where the result is."""
        return f"cells/{self.name}/{self.fingerprint}.json"


@dataclass(frozen=True)
class Plan:
    """The cells of a matrix, none before those that it needs.

    Attributes:
        results_dir: the folder of all results.
        experiment: the name of the matrix.
        cells: by name, those of the whole matrix whose data are there.
        selected: the names of those to run.
    """

    results_dir: Path
    experiment: str
    cells: Mapping[str, PlannedCell]
    selected: Sequence[str]


def make_plan(matrix: Matrix, results_dir: Path, patterns: Sequence[str] = ("*",)) -> Plan:
    """Plan a matrix, and select the cells whose names match a pattern (``*``, ``?``, ``[...]``) and what these need.

    Raises:
        InputError: if a pattern matches nothing (the message has near names), or a configuration, the weights of a
            backbone or the data of a selected cell cannot be read.
    """
    planned: dict[str, PlannedCell] = {}
    cells = make_cells(matrix)
    selected = _selected(cells, patterns)
    for cell in cells:
        folder = ROOT / matrix.data[cell.labels["data"]].dataset_dir
        if cell.name not in selected and not (folder / "datalist.json").exists():
            continue
        data_fingerprint, description = _read_data(folder)
        content = {
            "run_id": cell.run_id,
            "config": _merged(cell.config_files),
            "settings": cell.settings,
            "data": data_fingerprint,
            # pairs, since a run's own fingerprint ignores keys of such names, where they hold places
            "needs": sorted((setting, planned[name].fingerprint) for setting, name in cell.needs.items()),
        }
        if cell.settings.get("backbone_weights") is not None:
            content["backbone_content"] = _hash_file(cell.settings["backbone_weights"])
        planned[cell.name] = PlannedCell(
            **vars(cell),
            dataset_dir=str(folder),
            data_description=description,
            fingerprint=fingerprint_config(content, _IGNORED),
        )
    return Plan(results_dir, matrix.name, planned, selected)


def write_plan(plan: Plan) -> None:
    """Write ``plan.json`` into the folder of results."""
    plan.results_dir.mkdir(parents=True, exist_ok=True)
    cells = [asdict(cell) for cell in plan.cells.values()]
    content = {"experiment": plan.experiment, "selected": plan.selected, "cells": cells}
    with atomic_path(plan.results_dir / _NAME) as file:
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_plan(results_dir: Path) -> Plan:
    """Read what ``write_plan`` has written.

    Raises:
        InputError: if there is no plan.
    """
    try:
        content = json.loads((results_dir / _NAME).read_text(encoding="utf-8"))
        planned = {cell["name"]: PlannedCell(**cell) for cell in content["cells"]}
        return Plan(results_dir, content["experiment"], planned, content["selected"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{results_dir / _NAME} cannot be read ({error}); run the matrix into this folder.") from error


def _selected(cells: Sequence[Cell], patterns: Iterable[str]) -> list[str]:
    names = [cell.name for cell in cells]
    chosen: set[str] = set()
    for pattern in patterns:
        matches = {name for name in names if fnmatchcase(name, pattern)}
        if not matches:
            near = ", ".join(get_close_matches(pattern.strip("*"), names, n=3, cutoff=0.4)) or ", ".join(names[:3])
            raise InputError(f"No cell's name is like '{pattern}'; there are for example {near}.")
        chosen |= matches
    for cell in reversed(cells):
        if cell.name in chosen:
            chosen |= set(cell.needs.values())
    return [name for name in names if name in chosen]


@lru_cache
def _read_data(folder: Path) -> tuple[str, str]:
    """The fingerprint of a data list and all its files, and its description."""
    file = folder / "datalist.json"
    return datalist_fingerprint(file), str(json.loads(file.read_text(encoding="utf-8")).get("description", ""))


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
