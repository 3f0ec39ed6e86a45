# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.utils import InputError

from .bundle_command import BUNDLE_PROGRAM, bundle_command
from .cell_folder import CellFolder, Status
from .data_list import DataList, read_data_list
from .environments import cell_environments
from .matrix import ROOT, Matrix, read_matrix
from .open_folders import open_folders
from .results import collect, collect_costs, describe_commits, read_table, write_table
from .runner import Runner, Task
from .selection import select_names
from .unsent_runs import unsent_runs

__all__ = ["main"]

_MINUTES_HELP = "stop after this time, plus up to a minute in which cells save themselves; the next call goes on"
_PROCESSES_HELP = (
    "processes that share each cell, one on each GPU, by torchrun (1); the batch stays the same and must divide by it. "
    "An interrupted cell goes on in the same way only"
)
_FAILED, _BAD_INPUT, _WORK_LEFT = 1, 2, 3  # exit statuses beside 0


def main(arguments: Sequence[str] | None = None, program: Sequence[str] = BUNDLE_PROGRAM) -> int:
    """Run a command line of ``python -m pipeline.comparison``.

    Args:
        arguments: the arguments; those of this process if None.
        program: what stands for ``python -m monai.bundle``.

    Returns:
        exit status: 0 when all selected cells are finished; 2 when something given is wrong (one line on the error
        output); 3 whenever work is left that can go on, after the time was up, an interruption, or to another runner,
        even if a cell has failed; 1 when only failed cells, and those that need them, are left.
    """
    begin = time.monotonic()
    options = _parser().parse_args(arguments)
    try:
        if options.command == "draw":
            _draw(options.table, options.results)
            return 0
        matrix = read_matrix(options.matrix, dict(options.data))
        folders = open_folders(matrix, options.results)
        if options.command == "report":
            _report(folders, options.results)
            return 0
        names = select_names(list(folders), options.only)
        if options.dry_run:
            _list(folders, names, options)
            return 0
        end = None if options.minutes is None else begin + 60 * options.minutes
        return _run(matrix, folders, names, options, program, end)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        reason = os.strerror(error.errno) if error.errno else error
        print(f"error: Cannot write or read{where}: {reason}. Correct this and run the same again.", file=sys.stderr)
        return _BAD_INPUT
    except KeyboardInterrupt:
        print("Interrupted. Type the same command again to go on.", file=sys.stderr)
        return _WORK_LEFT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.comparison",
        description="Train and attack all networks of a matrix, and make its tables and figures.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="run all cells that are not finished, then make the report",
        description="Run all cells that are not finished, then make the report. Type it again to go on. Exit status: 0 "
        "all selected cells are finished, 1 nothing is left but what has failed and what needs it, 2 bad input, 3 "
        "whenever work is left that can go on.",
    )
    report = commands.add_parser("report", help="make tables and figures of the cells that are finished")
    draw = commands.add_parser(
        "draw",
        help="make tables and figures again from a table of results alone",
        description="Make tables and figures again from the results.csv or results.parquet of a report and the "
        "costs.csv beside it; pictures under attack are in neither.",
    )
    draw.add_argument("table", metavar="TABLE", type=Path, help="results.csv or results.parquet")
    draw.add_argument("--results", metavar="DIR", type=Path, required=True, help="folder to write to")
    for command in (run, report):
        command.add_argument("matrix", metavar="MATRIX", help="JSON file, such as experiments/paper.json")
        command.add_argument("--results", metavar="DIR", type=Path, required=True, help="folder of all results")
        command.add_argument(
            "--data",
            metavar="NAME=FOLDER",
            type=_data,
            action="append",
            default=[],
            help="other folder for a data set of the matrix; may be repeated",
        )
    run.add_argument("--only", metavar="PATTERN", action="append", help="cells with such names; may be repeated")
    run.add_argument("--dry-run", action="store_true", help="only list each cell's status and the command that runs it")
    run.add_argument("--jobs", metavar="N", type=_count, default=1, help="cells side by side (1)")
    run.add_argument("--processes", metavar="P", type=_count, default=1, help=_PROCESSES_HELP)
    run.add_argument("--minutes", metavar="M", type=_minutes, help=_MINUTES_HELP)
    run.add_argument("--no-report", action="store_true", help="leave tables and figures for later")
    return parser


def _data(text: str) -> tuple[str, str]:
    name, sign, folder = text.partition("=")
    if not (name and sign and folder):
        raise argparse.ArgumentTypeError(f"{text!r} must have the form NAME=FOLDER")
    return name, folder


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1 up")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of minutes above 0")
    return minutes


def _list(folders: Mapping[str, CellFolder], names: Sequence[str], options: argparse.Namespace) -> None:
    """Print for each cell the one command that does it, and its status as a shell's comment."""
    data = [part for name, folder in options.data for part in ("--data", f"{name}={folder}")]
    for name in names:
        folder = folders[name]
        folder.check()
        status = folder.status()
        if status == Status.TO_DO and any(folders[need].result is None for need in folder.cell.needs.values()):
            status = Status.WAITING
        command = ["python", "-m", "pipeline.comparison", "run", options.matrix, "--results", str(options.results)]
        processes = [] if options.processes == 1 else ["--processes", str(options.processes)]
        print(f"{shlex.join([*command, *data, '--only', name, *processes, '--no-report'])}  # {status}")


def _run(
    matrix: Matrix,
    folders: Mapping[str, CellFolder],
    names: Sequence[str],
    options: argparse.Namespace,
    program: Sequence[str],
    end: float | None,
) -> int:
    selected = [folders[name] for name in names]
    _check_needs(folders, names)
    for folder in folders.values():
        folder.check_record()  # of all, since the parent run's status comes from all at the end
    for folder in selected:
        folder.check()
    if any(folder.result is None for folder in selected):
        outcomes = _run_cells(matrix, folders, selected, options, program, end)
    else:
        print(f"All {len(selected)} cells are finished already.")
        outcomes = dict.fromkeys(names, Status.FINISHED)
    status = _summarize(folders, outcomes)
    _list_unsent(selected)
    for folder in selected:
        # one that was finished may have taken weights that have been made anew since
        folder.check()
    if status == 0 and not options.no_report:
        _report(folders, options.results)
    elif not options.no_report:
        command = ["python", "-m", "pipeline.comparison", "report", options.matrix, "--results", str(options.results)]
        print(f"Tables and figures of what is finished: {shlex.join(command)}")
    return status


def _check_needs(folders: Mapping[str, CellFolder], names: Sequence[str]) -> None:
    for name in names:
        if folders[name].result is not None:
            continue
        for need in folders[name].cell.needs.values():
            if need not in names and folders[need].result is None:
                raise InputError(
                    f"{name} takes the weights of {need}, which is not finished; run that first, or add --only {need}."
                )


def _run_cells(
    matrix: Matrix,
    folders: Mapping[str, CellFolder],
    selected: Sequence[CellFolder],
    options: argparse.Namespace,
    program: Sequence[str],
    end: float | None,
) -> dict[str, Status]:
    data_lists = _check_data(matrix, selected)
    # MLflow takes seconds to import, which a list of cells does without
    from .parent_run import open_parent_run

    # two cells that begin at once must find the store made
    parent = open_parent_run(
        options.results, matrix.name, f"The matrix `{options.matrix}`, {len(folders)} cells. Each run below is one."
    )
    tasks = []
    for folder in selected:
        cell, data = folder.cell, folder.cell.labels["data"]
        locations = {
            "dataset_dir": ROOT / matrix.data[data].dataset_dir,
            "output_dir": folder.runs.absolute(),
            "ckpt_dir": folder.models.absolute(),
            **{setting: need.weights.absolute() for setting, need in folder.needs.items()},
            "experiment_name": matrix.name,
            "tracking_uri": parent.tracking_uri,
            "parent_run": parent.run_id,
        }
        command = bundle_command(cell, locations, program, options.processes)
        # a cell of a data set whose cells are all finished needs no data
        tasks.append(Task(folder, command, data_lists.get(data, DataList("", ""))))
    status = "FAILED"
    try:
        outcomes = Runner(tasks, end, cell_environments(options.jobs, options.processes)).run()
        # of the whole matrix: the parent stands for all its cells, also those that are not selected
        states = {folder.status() for folder in folders.values()}
        status = "FINISHED" if states == {Status.FINISHED} else "FAILED" if Status.FAILED in states else "KILLED"
    finally:
        parent.close(status)
    return outcomes


def _check_data(matrix: Matrix, selected: Sequence[CellFolder]) -> dict[str, DataList]:
    """The data lists of the data sets of cells to run, before anything starts."""
    to_run = {folder.cell.labels["data"] for folder in selected if folder.result is None}
    data_lists = {data: read_data_list(ROOT / matrix.data[data].dataset_dir) for data in sorted(to_run)}
    for folder in selected:
        data = folder.cell.labels["data"]
        folder.check(data_lists[data].fingerprint if data in data_lists else None)
    return data_lists


def _summarize(folders: Mapping[str, CellFolder], outcomes: Mapping[str, Status]) -> int:
    """Say what is not finished and how to go on; return the exit status."""
    words = {
        Status.FAILED: lambda folder: f"see {folder.log}: {folder.last_error()}",
        Status.INTERRUPTED: lambda folder: f"see {folder.log}",
        Status.RUNNING: lambda folder: "another process runs it",
        Status.WAITING: lambda folder: f"it takes the weights of {', '.join(folder.cell.needs.values())}",
        Status.TO_DO: lambda folder: "not started",
    }
    for status, describe in words.items():
        for name, outcome in outcomes.items():
            if outcome == status:
                print(f"{status:<11} {name}: {describe(folders[name])}")
    done = sum(outcome == Status.FINISHED for outcome in outcomes.values())
    print(f"{done} of {len(outcomes)} cells are finished.", end="")
    print("" if done == len(outcomes) else " Type the same command again to go on.", flush=True)
    if done == len(outcomes):
        return 0
    left = {Status.RUNNING, Status.INTERRUPTED, Status.TO_DO} & set(outcomes.values())
    return _WORK_LEFT if left else _FAILED


def _list_unsent(folders: Iterable[CellFolder]) -> None:
    runs = unsent_runs(folders)
    if runs:
        command = shlex.join(["python", "-m", "pipeline.tracking", "upload", *map(str, runs)])
        print(f"MLflow has not got all of {len(runs)} finished cells; this sends the rest: {command}")


def _draw(file: Path, results_dir: Path) -> None:
    from .report import write_report  # matplotlib takes seconds to import

    for written in write_report(*read_table(file), results_dir):
        print(written)


def _report(folders: Mapping[str, CellFolder], results_dir: Path) -> None:
    from .report import write_report  # matplotlib takes seconds to import

    table = collect(folders.values())
    costs = collect_costs(folders.values())
    sentence = describe_commits(table)
    if sentence:
        print(sentence)
    write_table(table, costs, results_dir)
    runs = {name: folder.result for name, folder in folders.items() if folder.result is not None}
    for file in write_report(table, costs, results_dir, runs):
        print(file)
    unfinished = len(folders) - len(runs)
    if unfinished:
        print(f"{unfinished} of {len(folders)} cells are not finished and therefore not in it.")


if __name__ == "__main__":
    sys.exit(main())
