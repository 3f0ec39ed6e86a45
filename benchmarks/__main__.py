# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from . import amp, inference, layout, loader, nlce, processes, sweep, training_step
from .options import Options
from .report import circumstances, table, write_json

__all__ = ["main"]

BENCHMARKS = {
    "sweep": sweep.run,
    "nlce": nlce.run,
    "training-step": training_step.run,
    "amp": amp.run,
    "layout": layout.run,
    "loader": loader.run,
    "inference": inference.run,
    "processes": processes.run,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that are named, or all, print their figures and write them to a file."""
    parser = _parser()
    given = parser.parse_args(arguments)
    unknown = [name for name in given.benchmarks if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this machine has no CUDA device; use --device cpu")
    options = Options(
        device=given.device,
        batch=given.batch,
        size=given.size,
        repeats=given.repeats,
        torchattacks=given.torchattacks,
        direct_128=given.direct_128,
    )
    found = circumstances(options)
    results = {}
    for name in given.benchmarks or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr)
        results[name] = BENCHMARKS[name](options)
        # after each, so that an interruption loses nothing
        write_json(given.output, found, results)
    print(table(found, results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the speed and the memory of the attack and the network."
    )
    parser.add_argument("benchmarks", nargs="*", help=f"{', '.join(BENCHMARKS)}; all of them by default")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (default cpu)")
    parser.add_argument("--repeats", type=_positive, help="runs of each variant (default 1 for sweep, else 3 to 9)")
    parser.add_argument("--batch", type=_positive, default=8, help="pictures in a batch (default 8)")
    parser.add_argument("--size", type=_size, default=256, help="rows and columns of a picture (default 256)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks.json"), help="file of the figures")
    parser.add_argument("--torchattacks", type=Path, help="folder with torchattacks, if it is not installed")
    parser.add_argument("--direct-128", action="store_true", help="try the direct NLCE on the larger feature map, too")
    return parser


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return int(text)


def _size(text: str) -> int:
    if int(text) < 32:
        raise argparse.ArgumentTypeError(f"must be at least 32, got {text}")
    return int(text)


if __name__ == "__main__":
    main()
