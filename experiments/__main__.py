# SPDX-License-Identifier: Apache-2.0
"""The commands of which the Snakefile's rules are made, and three for people: ``report``, ``draw``, ``leaderboard``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.utils import InputError, atomic_path

__all__ = ["main"]

_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line of ``python -m experiments``.

    Args:
        arguments: the arguments; those of this process if None.

    Returns:
        exit status: 0; 2 with one line on the error output when something given is wrong; that of a cell's bundle.
    """
    options = _parser().parse_args(arguments)
    try:
        status = _COMMANDS[options.command](options)
        return int(status or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        reason = os.strerror(error.errno) if error.errno else error
        print(f"error: Cannot write or read{where}: {reason}. Correct this and run the same again.", file=sys.stderr)
    except KeyboardInterrupt:
        return _STOPPED
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments", description="The parts of the paper's comparison.")
    commands = parser.add_subparsers(dest="command", required=True)
    plan = commands.add_parser("plan", help="write plan.json, which the Snakefile reads")
    plan.add_argument("matrix", metavar="MATRIX", help="JSON file, such as experiments/paper.json")
    plan.add_argument("--data", metavar="NAME=FOLDER", type=_data, action="append", default=[])
    plan.add_argument("--only", metavar="PATTERN", action="append", help="cells with such names, and what they need")
    cell = commands.add_parser("cell", help="run one cell of the plan, or go on with it")
    cell.add_argument("name")
    cell.add_argument("fingerprint", help="as the plan has it: another plan may have taken its place")
    cell.add_argument("--processes", type=_count, default=1, help="processes that share it, by torchrun")
    report = commands.add_parser("report", help="make tables and figures of the plan's finished cells")
    draw = commands.add_parser("draw", help="make tables and figures again from a table of results alone")
    draw.add_argument("table", metavar="TABLE", type=Path, help="results.csv or results.parquet, costs.csv beside it")
    board = commands.add_parser(
        "leaderboard", help="make docs/leaderboard.md of its entries; with --add, add one first"
    )
    board.add_argument("--add", metavar="REPORT", type=Path, help="report.json of a robustness run, to be added first")
    board.add_argument("--name", help="of the network, such as my-unet")
    board.add_argument("--training", metavar="TEXT", help="how it was trained, in one line")
    board.add_argument("--data", metavar="NAME", help="what the test pictures are, in the words of the other entries")
    board.add_argument("--docs", metavar="DIR", type=Path, default=Path("docs"), help="folder of the page and entries")
    for command in (plan, cell, report, draw):
        command.add_argument("--results", metavar="DIR", type=_folder, required=True, help="folder of all results")
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


def _folder(text: str) -> Path:
    return Path(text).absolute()


def _plan(options: argparse.Namespace) -> None:
    from .matrix import read_matrix
    from .plan import make_plan, write_plan

    matrix = read_matrix(options.matrix, dict(options.data))
    write_plan(make_plan(matrix, options.results, options.only or ["*"]))


def _cell(options: argparse.Namespace) -> int:
    from .plan import read_plan
    from .run_cell import run_cell

    plan = read_plan(options.results)
    if options.name not in plan.cells or plan.cells[options.name].fingerprint != options.fingerprint:
        raise InputError(
            f"{options.results}: the plan has no such cell {options.name} any more; run the Snakefile anew."
        )
    return run_cell(plan, options.name, options.processes)


def _report(options: argparse.Namespace) -> None:
    from .plan import read_plan
    from .report import write_report
    from .results import collect, write_table
    from .send_report import send_report

    plan = read_plan(options.results)
    table, costs, runs = collect(plan)
    write_table(table, costs, options.results)
    files = write_report(table, costs, options.results, runs)
    print("\n".join(map(str, files)))
    if len(runs) < len(plan.cells):
        print(f"{len(plan.cells) - len(runs)} of {len(plan.cells)} cells are not finished and therefore not in it.")
    send_report(plan, files)


def _draw(options: argparse.Namespace) -> None:
    from .report import write_report
    from .results import read_table

    print("\n".join(map(str, write_report(*read_table(options.table), options.results))))


def _leaderboard(options: argparse.Namespace) -> None:
    from .leaderboard import add_entry, make_leaderboard, read_entries

    folder = options.docs / "leaderboard"
    given = (options.add, options.name, options.training, options.data)
    if None in given and any(each is not None for each in given):
        raise InputError("leaderboard: --add, --name, --training and --data belong together; give all four, or none.")
    if options.add is not None:
        print(add_entry(options.add, folder, options.name, options.training, options.data))
    with atomic_path(options.docs / "leaderboard.md") as page:
        page.write_text(make_leaderboard(read_entries(folder)), encoding="utf-8")
    print(options.docs / "leaderboard.md")


# each imports what it needs: matplotlib and MLflow take seconds
_COMMANDS = {"plan": _plan, "cell": _cell, "report": _report, "draw": _draw, "leaderboard": _leaderboard}


if __name__ == "__main__":
    sys.exit(main())
