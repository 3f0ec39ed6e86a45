# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from .figure import Figure, synchronize
from .options import Options

__all__ = ["Peak", "measure", "megabytes", "peak_memory"]


@dataclasses.dataclass(frozen=True)
class Peak:
    """Peak memory of one run above what the process held before it, in MB (10^6 bytes), and the run's seconds."""

    megabytes: float
    seconds: float


def peak_memory(case: str, options: Options) -> Peak | None:
    """Run a case once in a fresh interpreter, so that nothing of other measurements is in its memory.

    Args:
        case: ``"<benchmark module>.<name>"``, made by that module's function ``case(name, options)``.
        options: handed to it.

    Returns:
        What it took; None if the memory did not suffice.
    """
    given = json.dumps(dataclasses.asdict(options), default=str)
    command = [sys.executable, "-m", "benchmarks.peak_memory", case, given]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    # Linux kills a process that takes too much; an allocator that is refused memory raises
    if done.returncode == -9 or any(sign in done.stderr for sign in ("OutOfMemoryError", "can't allocate memory")):
        return None
    if done.returncode:
        raise RuntimeError(f"The measurement of {case} failed:\n{done.stderr}")
    return Peak(**json.loads(done.stdout))


def measure(case: str, options: Options) -> Peak:
    """Run a case once in this process; see :func:`peak_memory`."""
    module, _, name = case.partition(".")
    run = importlib.import_module(f"benchmarks.{module}").case(name, options)
    before = _held(options.device)
    synchronize(options.device)
    start = time.perf_counter()
    run()
    synchronize(options.device)
    seconds = time.perf_counter() - start
    return Peak((_highest(options.device) - before) / 1e6, seconds)


def megabytes(what: str, peak: Peak | None) -> Figure:
    """The peak memory as a figure."""
    return Figure(what, peak.megabytes, "MB") if peak else Figure(what, None, "MB", note="out of memory")


def _held(device: str) -> int:
    return torch.cuda.memory_allocated() if device == "cuda" else _process_bytes("VmRSS")


def _highest(device: str) -> int:
    # not getrusage's ru_maxrss, which a process inherits from the one that started it
    return torch.cuda.max_memory_allocated() if device == "cuda" else _process_bytes("VmHWM")


def _process_bytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(measure(sys.argv[1], Options(**json.loads(sys.argv[2]))))))
