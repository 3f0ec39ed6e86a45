# SPDX-License-Identifier: Apache-2.0
"""Collects what the cells have left into one table of scores and one of costs, and reads these again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.utils import InputError, atomic_path

from .finished import read_finished
from .plan import Plan

__all__ = ["COLUMNS", "collect", "describe_commits", "read_table", "write_table"]

COLUMNS = [
    "data",
    "network",
    "nlce",
    "stage",
    "variant",
    "reading",
    "seed",
    "title",
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
_NUMBERS = ["seed", "epsilon", "iterations", *_SCORES]
_DESCRIPTION = "data_description"
_TEXTS = ["data", "network", "stage", "variant", "reading", "title", "image", "commit", "data_fingerprint", "cell"]
_TEXTS += ["device", _DESCRIPTION]
_COSTS_NAME = "costs.csv"
_COSTS = ["parameters", "gradients_per_image", "training_seconds", "evaluation_seconds", "peak_memory_mb"]
# an evaluation has no training, and a run without attacks no gradients
_NEEDED = ["network", "commit", "dirty", "data_fingerprint", "iterations", "device", "parameters"]


def collect(plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Path]]:
    """Return the scores and the costs of all finished cells of a plan, and their run folders.

    Returns:
        - the scores, one row per cell, image and ε: ``data``, ``network``, ``nlce``, ``stage``, ``variant``,
          ``reading`` and ``seed`` (see ``Cell.labels``); ``title``, what the bundle calls the network; ``epsilon``, 0
          for the clean image, in grey levels of 255, or in the unit of the reading (``twelve_bit``: 1/4095 of the
          range; ``after_normalization``: 1/255 of a standard deviation); ``image``; ``DIC`` and ``JSC`` in [0, 1]; the
          attack's ``iterations`` (of ``worst_case`` the gradients of the whole battery); ``commit``, with ``+dirty``
          where files differed from it, or several, joined by "and", where a cell was interrupted and went on with
          other code; ``data_fingerprint``; ``cell``;
        - the costs, one row per cell: ``cell``, its labels, ``parameters``, ``gradients_per_image``,
          ``training_seconds`` (none for cells that only evaluate), ``evaluation_seconds``, ``peak_memory_mb`` (MB of
          10⁶ bytes), ``device``, ``commit`` and ``data_description``, what the data list says that it is;
        - the run folder of each cell.

    Raises:
        InputError: if no cell is finished, a result is damaged, or the cells of a data set do not have the same data
            and images, or those of one reading on it not the same intensities.
    """
    finished = {name: read_finished(plan, cell) for name, cell in plan.cells.items()}
    runs = {name: found.run for name, found in finished.items() if found is not None}
    if not runs:
        raise InputError(f"No cell in {plan.results_dir} is finished; run some with the Snakefile.")
    results = {name: _read_result(run) for name, run in runs.items()}
    tables = {name: _read_scores(run, results[name]) for name, run in runs.items()}
    costs = []
    for name, result in results.items():
        cell = plan.cells[name]
        tables[name] = tables[name].assign(**cell.labels, title=result["network"], commit=_commit(result), cell=name)
        measured = {key: result.get(key) for key in [*_COSTS, "device"]}
        costs.append({"cell": name, **cell.labels, **measured, "commit": _commit(result)})
        costs[-1][_DESCRIPTION] = cell.data_description
    table = pd.concat(tables.values(), ignore_index=True)[COLUMNS]
    for first, second, what in _unlike(table):
        raise InputError(
            f"{runs[first]} and {runs[second]} have results on different {what}; remove the folder in "
            f"{plan.results_dir / 'cells'} of the one that is wrong, and run again."
        )
    return table, pd.DataFrame(costs), runs


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
        InputError: if one of the two is missing or cannot be read as such, a score is not between 0 and 1, or another
            value is missing; if there is not one cost for each cell; or if cells are not alike, see ``collect``.
    """
    costs_file = file.with_name(_COSTS_NAME)
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else _read_csv(file)
        costs = _read_csv(costs_file)
    except FileNotFoundError as error:
        raise InputError(
            f"There is no {error.filename or file}; name results.csv or results.parquet of a report, beside its "
            f"{_COSTS_NAME}."
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} or {costs_file} cannot be read as a table ({error}).") from error
    _check_read(file, table, costs_file, costs)
    return table, costs


def _read_csv(file: Path) -> pd.DataFrame:
    """A table whose texts are texts, even 001 or NA, and in which an empty cost is none."""
    texts = dict.fromkeys(_TEXTS, str)
    return pd.read_csv(file, dtype=texts, keep_default_na=False, na_values=dict.fromkeys(_COSTS, [""]))


def _check_read(file: Path, table: pd.DataFrame, costs_file: Path, costs: pd.DataFrame) -> None:
    """Refuse tables from which a report would come out wrong, or not at all."""
    shown = ["cell", "data", *_COSTS, "device", _DESCRIPTION]
    for path, content, columns in ((file, table, COLUMNS), (costs_file, costs, shown)):
        missing = [column for column in columns if column not in content]
        if missing:
            raise InputError(f"{path} has no column '{missing[0]}'; name a table that a report has written.")
    if table.empty:
        raise InputError(f"{file} has no rows; name a table that a report has written.")
    for column in _SCORES:
        # pandas' means leave out what is no number
        if not pd.to_numeric(table[column], errors="coerce").between(0, 1).all():
            raise InputError(
                f"{file} has a {column} that is not between 0 and 1; name a table that a report has written."
            )
    for path, content, columns in ((file, table, [*_NUMBERS, "nlce"]), (costs_file, costs, _COSTS)):
        wrong = [column for column in columns if not is_numeric_dtype(content[column])]
        # pandas' groups leave out what is missing; a cost may be
        wrong += [column for column in COLUMNS if path == file and content[column].isna().any()]
        if wrong:
            raise InputError(
                f"{path}: the column '{wrong[0]}' has missing values or no numbers; name a table that a report has "
                "written."
            )
    cells = table[["cell", "data"]].drop_duplicates()
    if costs["cell"].duplicated().any() or len(cells.merge(costs[["cell", "data"]])) < len(cells):
        raise InputError(f"{costs_file} has not one row for each cell of {file}; name two that one report has written.")
    for first, second, what in _unlike(table):
        raise InputError(f"{file}: the cells {first} and {second} have results on different {what}; leave one out.")


def _read_result(run: Path) -> dict[str, Any]:
    file = run / "result.json"
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        missing = [key for key in _NEEDED if key not in result]
        if missing:
            raise _damaged(run, file, f"lacks '{missing[0]}'")
        iterations = {float(epsilon): int(count) for epsilon, count in result["iterations"].items()}
    except InputError:
        raise
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(run, file, f"cannot be read ({error})") from error
    return {**result, "iterations": {0.0: 0, **iterations}}


def _read_scores(run: Path, result: Mapping[str, Any]) -> pd.DataFrame:
    file = run / "per_image.csv"
    try:
        # every name of an image is text, even 001 or NA
        scores = pd.read_csv(file, dtype=str, keep_default_na=False)
        missing = [column for column in ("image", "epsilon", *_SCORES) if column not in scores]
        if missing:
            raise _damaged(run, file, f"has no column '{missing[0]}'")
        scores = scores[["image"]].join(scores[["epsilon", *_SCORES]].astype(float))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise _damaged(run, file, f"cannot be read ({error})") from error
    for column in _SCORES:
        # not a number is not between
        if not scores[column].between(0, 1).all():
            raise _damaged(run, file, f"has a {column} that is not between 0 and 1")
    grid = scores["image"].nunique() * scores["epsilon"].nunique()
    if not grid or len(scores) != grid or scores.duplicated(["image", "epsilon"]).any():
        raise _damaged(run, file, "does not have one row for each image and ε")
    lacking = sorted(set(scores["epsilon"]) - result["iterations"].keys())
    if lacking:
        raise _damaged(run, run / "result.json", f"has no number of iterations for ε = {lacking[0]:g}")
    iterations = scores["epsilon"].map(result["iterations"]).astype(int)
    return scores.assign(iterations=iterations, data_fingerprint=result["data_fingerprint"])


def _unlike(table: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Cells of one data set with different data or images, or of one reading there with other intensities."""
    # the battery may have fewer intensities than the paper's attack
    for column, what, of in (
        ("data_fingerprint", "data", ["data"]),
        ("image", "images", ["data"]),
        ("epsilon", "intensities", ["data", "reading"]),
    ):
        for _, rows in table.groupby(of, sort=False):
            first, *others = ((cell, set(own)) for cell, own in rows.groupby("cell", sort=False)[column])
            yield from ((first[0], cell, what) for cell, found in others if found != first[1])


def _commit(result: Mapping[str, Any]) -> str:
    return (result["commit"] or "unknown") + ("+dirty" if result["dirty"] else "")


def _damaged(run: Path, file: Path, what: str) -> InputError:
    return InputError(f"{file} {what}: it is damaged; remove the folder {run.parents[2]} and run again.")
