# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.utils import InputError

from .package_bundle import package_bundle


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line of ``python -m pipeline.packaging``; return the exit status, 1 when something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.packaging",
        description="Write a bundle that needs nothing of this repository.",
    )
    parser.add_argument("bundle", type=Path, help="the bundle, such as bundles/nlcen_jsrt")
    parser.add_argument("--run", type=Path, required=True, help="folder of the training whose weights go into it")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder to write to (default dist)")
    parser.add_argument("--report", type=Path, help="report.json of a robustness run of these weights, for the card")
    parser.add_argument("--name", help="of the new bundle and its zip (default the bundle's own)")
    options = parser.parse_args(arguments)
    try:
        print(package_bundle(options.bundle, options.run, options.output, options.report, options.name))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
