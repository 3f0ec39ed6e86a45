# SPDX-License-Identifier: Apache-2.0
"""The command line of ``python -m data_prep``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from pipeline.utils import InputError

from . import isbi2016, jsrt, pairs, phantoms, subset

__all__ = ["main"]

# what each does, with the values of its options as arguments of the same names, and what adds these to a parser
COMMANDS: Mapping[str, tuple[Callable[..., str], Callable[[argparse.ArgumentParser], None]]] = {
    "jsrt": (jsrt.prepare_jsrt, jsrt.add_arguments),
    "isbi2016": (isbi2016.prepare_isbi2016, isbi2016.add_arguments),
    "pairs": (pairs.prepare_pairs, pairs.add_arguments),
    "phantoms": (phantoms.prepare_phantoms, phantoms.add_arguments),
    "subset": (subset.prepare_subset, subset.add_arguments),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line of ``python -m data_prep``.

    Returns:
        exit status: 0, 1 when something is wrong (one line each on the error output), 130 when interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Prepare pictures and masks for training, with a MONAI data list.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (prepare, add_arguments) in COMMANDS.items():
        summary = (prepare.__doc__ or "").splitlines()[0]
        add_arguments(commands.add_parser(name, help=summary, description=summary))
    options = vars(parser.parse_args(arguments))
    prepare, _ = COMMANDS[options.pop("command")]
    try:
        print(prepare(**options))
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        reason = os.strerror(error.errno) if error.errno else error
        print(
            f"error: Cannot write or read{where}: {reason}. No data list was written; make room or correct this, and "
            "run the same command again: it goes on where it stopped.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again: it goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
