# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.robustness.peer NAME --input x.npz --output y.npz``: one attack in a process of its own."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from pipeline.runs.environment import describe_code

from .methods import METHODS
from .problem import Answer, CountedNetwork, Problem, load_network

__all__ = ["answer"]


def answer(name: str, problem: Problem) -> Answer:
    """Run the attack of a name, on the GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    network = CountedNetwork(load_network(problem.weights, device))
    images = torch.from_numpy(problem.images).to(device)[:, None].float() / 255
    labels = torch.from_numpy(problem.labels).to(device).long()
    with torch.no_grad():  # what the first pass prepares is no part of the time
        network(images)
    start = time.perf_counter()
    found = METHODS[name].attack(network, images, labels, problem)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return Answer(
        255 * found[:, :, 0].detach().cpu().numpy(),
        network.count / len(images),
        time.perf_counter() - start,
        torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        _commit(),
    )


def _commit() -> str:
    code = describe_code()
    return str(code["commit"])[:7] + ("+dirty" if code["dirty"] else "")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness.peer")
    parser.add_argument("name", choices=METHODS)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    try:
        answer(given.name, Problem.load(given.input)).save(given.output)
    except Exception as error:
        # the last line is what the parent lists
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
