# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.utils import InputError, atomic_path

from .cell_folder import CellFolder

__all__ = ["COLUMNS", "collect", "collect_costs", "describe_commits", "read_table", "write_table"]

COLUMNS = [
    "data",
    "network",
    "nlce",
    "stage",
    "variant",
    "reading",
    "seed",
    "epsilon",
    "image",
    "DIC",
    "JSC",
    "iterations",
    "commit",
    "data_fingerprint",
    "cell",
]
_SCORES = ["DIC", "JSC"]
_DESCRIPTION = "data_description"
_TEXTS = ["data", "network", "stage", "variant", "reading", "image", "commit", "data_fingerprint", "cell", "device"]
_TEXTS.append(_DESCRIPTION)
_COSTS_NAME = "costs.csv"
_COSTS = ["parameters", "gradients_per_image", "training_seconds", "evaluation_seconds", "peak_memory_mb"]
# an evaluation has no training, and a run without attacks no gradients
_NEEDED = ["commit", "dirty", "data_fingerprint", "iterations", "device", "parameters"]


def collect(folders: Iterable[CellFolder]) -> pd.DataFrame:
    """Return the scores of all finished cells, one row per cell, image and ε.

    Columns: ``data``, ``network``, ``nlce``, ``stage``, ``variant``, ``reading`` and ``seed`` (see ``Cell.labels``);
    ``epsilon``, 0 for the clean image, in grey levels of 255, or in the unit of the reading (``twelve_bit``: 1/4095 of
    the range; ``after_normalization``: 1/255 of a standard deviation); ``image``; ``DIC`` and ``JSC`` in [0, 1]; the
    attack's ``iterations``; ``commit``, with ``+dirty`` where files differed from it, or several, joined by "and",
    where a cell was interrupted and went on with other code; ``data_fingerprint``; ``cell``.

    Args:
        folders: the folders of a matrix's cells; those that are not finished are left out.

    Raises:
        InputError: if no cell is finished, a folder was made with another configuration, a result is damaged, or the
            cells of a data set do not have the same data, images and intensities.
    """
    cells = {folder: _read_scores(folder) for folder in folders if _is_finished(folder)}
    if not cells:
        raise InputError("No cell of the matrix is finished; run some with `python -m pipeline.comparison run`.")
    _check_alike(cells)
    return pd.concat(cells.values(), ignore_index=True)[COLUMNS]


def collect_costs(folders: Iterable[CellFolder]) -> pd.DataFrame:
    """Return what each finished cell has cost: one row per cell.

    Columns: ``cell``, its labels, ``parameters``, ``gradients_per_image``, ``training_seconds`` (none for cells that
    only evaluate), ``evaluation_seconds``, ``peak_memory_mb`` (MB of 10⁶ bytes), ``device``, ``commit`` and
    ``data_description``, what the data list said that it is when the cell ran; empty for nothing.

    Raises:
        InputError: if a result is damaged.
    """
    rows = []
    for folder in folders:
        if _is_finished(folder):
            result = _read_result(folder)
            costs = {key: result.get(key) for key in _COSTS}
            rows.append({"cell": folder.cell.name, **folder.cell.labels, **costs, "device": result["device"]})
            rows[-1] |= {"commit": _commit(result), _DESCRIPTION: folder.data_description}
    return pd.DataFrame(rows)


def describe_commits(table: pd.DataFrame) -> str:
    """Return one sentence if the cells of a table were made by several states of the code or unknown ones, else ""."""
    counts = table.groupby("commit", sort=False)["cell"].nunique()
    first = counts.index[0]
    if len(counts) == 1 and not (first == "unknown" or " and " in first or first.endswith("+dirty")):
        return ""
    parts = ", ".join(f"{commit} ({count} of {counts.sum()} cells)" for commit, count in counts.items())
    return f"The results come from {parts}: compare them with care, their code may differ."


def write_table(table: pd.DataFrame, costs: pd.DataFrame, results_dir: Path) -> None:
    """Write ``results.csv``, ``results.parquet`` and ``costs.csv`` to the folder of all results."""
    with atomic_path(results_dir / "results.csv") as file:
        table.to_csv(file, index=False)
    with atomic_path(results_dir / "results.parquet") as file:
        table.to_parquet(file, index=False)
    with atomic_path(results_dir / _COSTS_NAME) as file:
        costs.to_csv(file, index=False)


def read_table(file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read what ``write_table`` has written: the scores, and the costs from ``costs.csv`` beside them.

    Args:
        file: ``results.csv`` or ``results.parquet``.

    Raises:
        InputError: if one of the two is missing or cannot be read as such, or a score is not between 0 and 1.
    """
    costs_file = file.with_name(_COSTS_NAME)
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else _read_csv(file)
        costs = _read_csv(costs_file)
    except FileNotFoundError as error:
        raise InputError(
            f"There is no {error.filename}; name results.csv or results.parquet of a report, beside its {_COSTS_NAME}."
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} or {costs_file} cannot be read as a table ({error}).") from error
    for path, content, columns in ((file, table, COLUMNS), (costs_file, costs, [*_COSTS, "device", _DESCRIPTION])):
        missing = [column for column in columns if column not in content]
        if missing:
            raise InputError(f"{path} has no column '{missing[0]}'; name a table that a report has written.")
    for column in _SCORES:
        # pandas' means leave out what is no number
        if not pd.to_numeric(table[column], errors="coerce").between(0, 1).all():
            raise InputError(
                f"{file} has a {column} that is not between 0 and 1; name a table that a report has written."
            )
    return table, costs


def _read_csv(file: Path) -> pd.DataFrame:
    """A table whose texts are texts, even 001 or NA, and in which an empty cost is none."""
    texts = dict.fromkeys(_TEXTS, str)
    return pd.read_csv(file, dtype=texts, keep_default_na=False, na_values=dict.fromkeys(_COSTS, [""]))


def _is_finished(folder: CellFolder) -> bool:
    folder.check()
    return folder.result is not None


def _read_scores(folder: CellFolder) -> pd.DataFrame:
    result = _read_result(folder)
    file = _run(folder) / "per_image.csv"
    try:
        # every name of an image is text, even 001 or NA
        scores = pd.read_csv(file, dtype=str, keep_default_na=False)
        missing = [column for column in ("image", "epsilon", *_SCORES) if column not in scores]
        if missing:
            raise _damaged(folder, file, f"has no column '{missing[0]}'")
        scores = scores[["image"]].join(scores[["epsilon", *_SCORES]].astype(float))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise _damaged(folder, file, f"cannot be read ({error})") from error
    for column in _SCORES:
        # not a number is not between
        if not scores[column].between(0, 1).all():
            raise _damaged(folder, file, f"has a {column} that is not between 0 and 1")
    grid = scores["image"].nunique() * scores["epsilon"].nunique()
    if not grid or len(scores) != grid or scores.duplicated(["image", "epsilon"]).any():
        raise _damaged(folder, file, "does not have one row for each image and ε")
    iterations = {0.0: 0, **result["iterations"]}
    lacking = sorted(set(scores["epsilon"]) - iterations.keys())
    if lacking:
        raise _damaged(folder, _run(folder) / "result.json", f"has no number of iterations for ε = {lacking[0]:g}")
    return scores.assign(
        **folder.cell.labels,
        iterations=scores["epsilon"].map(iterations).astype(int),
        commit=_commit(result),
        data_fingerprint=result["data_fingerprint"],
        cell=folder.cell.name,
    )


def _read_result(folder: CellFolder) -> dict[str, Any]:
    file = _run(folder) / "result.json"
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        missing = [key for key in _NEEDED if key not in result]
        if missing:
            raise _damaged(folder, file, f"lacks '{missing[0]}'")
        iterations = {float(epsilon): int(count) for epsilon, count in result["iterations"].items()}
    except InputError:
        raise
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(folder, file, f"cannot be read ({error})") from error
    return {**result, "iterations": iterations}


def _check_alike(cells: Mapping[CellFolder, pd.DataFrame]) -> None:
    """Refuse cells of one data set with different data, images or intensities."""
    for data in sorted({folder.cell.labels["data"] for folder in cells}):
        members = {folder: table for folder, table in cells.items() if folder.cell.labels["data"] == data}
        _check_equal(members, "data_fingerprint", "different data")
        _check_equal(members, "image", "different images")
        _check_equal(members, "epsilon", "different intensities")


def _check_equal(members: Mapping[CellFolder, pd.DataFrame], column: str, difference: str) -> None:
    values = {folder: frozenset(table[column]) for folder, table in members.items()}
    first = next(iter(values))
    for folder, value in values.items():
        if value != values[first]:
            raise InputError(
                f"{_run(first) / 'per_image.csv'} and {_run(folder) / 'per_image.csv'} have results on {difference}; "
                f"remove the one of the folders {first.path} and {folder.path} that is wrong, and run again."
            )


def _run(folder: CellFolder) -> Path:
    run = folder.result
    assert run is not None  # only finished cells are read
    return run


def _commit(result: Mapping[str, Any]) -> str:
    return (result["commit"] or "unknown") + ("+dirty" if result["dirty"] else "")


def _damaged(folder: CellFolder, file: Path, what: str) -> InputError:
    return InputError(f"{file} {what}: it is damaged; remove the folder {folder.path} and run again.")
