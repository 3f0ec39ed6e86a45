# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.robustness``: the battery beside SEA and other libraries' attacks on the same pictures."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import monai
import numpy as np
import pandas as pd
import torch

from pipeline.attacks import AttackedNetwork
from pipeline.robustness.budgets import find_budget
from pipeline.utils import InputError

from .methods import METHODS, OURS, PEERS, SEA
from .problem import Answer, Problem, load_network, read_pictures
from .referee import Referee
from .results import AT_PEERS, Cost, Results, write

__all__ = ["Task", "main", "tasks_of"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Task:
    """A process: one method on some of the images of one network, from number ``first`` on."""

    network: str
    method: str
    problem: Problem
    first: int = 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Attack each network with each method, and write the results after each process that ends."""
    given = _parser().parse_args(arguments)
    try:
        _run(given)
    except InputError as error:
        sys.exit(str(error))


def _run(given: argparse.Namespace) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # scores are in single precision, whatever the attacks compute in
    torch.backends.cudnn.allow_tf32 = False
    images, labels = read_pictures(given.data)
    images, labels = images[: given.images], labels[: given.images]
    epsilons = np.array(find_budget(given.budget).epsilons)
    at_sea = epsilons if given.sea_epsilons is None else np.array(given.sea_epsilons)
    if not set(at_sea) <= set(epsilons):
        raise InputError(f"--sea-epsilons: those of the budget are possible, {', '.join(f'{e:g}' for e in epsilons)}.")
    referees, results, tasks = {}, {}, []
    for name, weights in given.network:
        problem = Problem(weights, images, labels, epsilons, given.budget, given.sea_steps)
        referees[name] = Referee(AttackedNetwork(load_network(weights, device)), problem, device)
        results[name] = Results(epsilons, at_sea, referees[name].clean())
        tasks += tasks_of(name, problem, at_sea, given.batch, given.methods)
    # first what takes longest, then what is quick, then SEA
    tasks.sort(key=lambda task: (task.method != OURS, task.method == SEA))
    circumstances = _circumstances(given, len(images), device)
    write(given.output, results, circumstances)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        running = {
            pool.submit(_start, task, Path(folder) / str(number), given.peers, given.limit, given.jobs): task
            for number, task in enumerate(tasks)
        }
        for done in as_completed(running):
            task = running[done]
            _keep(results[task.network], referees[task.network], task, done.result(), len(images))
            write(given.output, results, circumstances)
            print(f"{task.network}: {task.method} from image {task.first} done", file=sys.stderr, flush=True)
    print(given.output.with_suffix(".md").read_text())


def tasks_of(name: str, problem: Problem, at_sea: np.ndarray, batch: int, methods: Sequence[str]) -> list[Task]:
    """Return the processes of one network: ours for each batch, SEA for each ε, a peer in one."""
    at_peers = problem.epsilons[np.isin(problem.epsilons, AT_PEERS)]
    tasks = []
    for method in methods:
        if method == OURS:
            tasks += [
                Task(name, method, replace(problem, images=problem.images[part], labels=problem.labels[part]), first)
                for first in range(0, len(problem.images), batch)
                for part in [slice(first, first + batch)]
            ]
        elif method == SEA:
            # what peers are compared at first, so that an interruption loses less
            ordered = sorted(at_sea, key=lambda epsilon: epsilon not in AT_PEERS)
            tasks += [Task(name, method, replace(problem, epsilons=np.array([epsilon]))) for epsilon in ordered]
        else:
            tasks.append(Task(name, method, replace(problem, epsilons=at_peers)))
    return tasks


def _start(task: Task, place: Path, peers: Path, limit: float, jobs: int) -> Answer | str:
    """Run a task in a process of its own; a sentence is why it failed."""
    package = METHODS[task.method].package
    own = [] if package is None else [str(peers.resolve() / package)]
    path = os.pathsep.join([*own, str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # what adv-lib compiles is computed step by step: a compiler is not everywhere, and takes longer than the attack
    environment = os.environ | {"PYTHONPATH": path, "TORCHDYNAMO_DISABLE": "1"}
    if jobs > 1:
        environment |= {"OMP_NUM_THREADS": "1"}
    given, found = place.with_suffix(".in.npz"), place.with_suffix(".out.npz")
    task.problem.save(given)
    command = [
        sys.executable,
        "-m",
        "benchmarks.robustness.peer",
        task.method,
        "--input",
        str(given),
        "--output",
        str(found),
    ]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"it took longer than {limit:g} s."
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode} and said nothing."])[-1]
    return Answer.load(found)


def _keep(result: Results, referee: Referee, task: Task, answer: Answer | str, images: int) -> None:
    """Score an answer and add it to the results."""
    if isinstance(answer, str):
        result.failed[task.method] = answer
        return
    try:
        scores = referee.scores(task.method, answer.pictures, task.problem.epsilons, task.first)
    except InputError as error:
        result.failed[task.method] = str(error)
        return
    result.scores = pd.concat([result.scores, scores], ignore_index=True)
    cost = result.costs.setdefault(task.method, Cost())
    cost.gradients += answer.gradients * len(task.problem.images) / images
    cost.seconds += answer.seconds
    result.devices.add(answer.device)


def _circumstances(given: argparse.Namespace, images: int, device: torch.device) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "torch": torch.__version__,
        "monai": monai.__version__,
        "budget": given.budget,
        "images": images,
        "SEA steps": f"3 x {given.sea_steps} at each ε",
        "processes side by side": given.jobs,
        "precision": "attacks in torch's default (convolutions in TF32 on a GPU), scores in float32",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.robustness", description="Compare the battery with SEA and other libraries' attacks."
    )
    parser.add_argument(
        "--network",
        type=_named,
        action="append",
        required=True,
        metavar="NAME=FILE[,FILE]",
        help="weights of NLCEN without NLCE on ResNet-18; a file, or parts that are joined; may be repeated",
    )
    parser.add_argument("--data", type=Path, required=True, help="npz file with images and labels (N, H, W) of uint8")
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="folder with a folder for each library")
    parser.add_argument("--output", type=Path, default=Path("robustness.json"), help="the table goes beside it")
    parser.add_argument("--images", type=int, default=16, help="number of images (default 16)")
    parser.add_argument(
        "--methods", type=_methods, default=list(METHODS), help=f"of {', '.join(METHODS)}; all by default"
    )
    parser.add_argument("--budget", default="full", help="of the battery (default full)")
    parser.add_argument("--sea-epsilons", type=_numbers, help="where SEA is measured; everywhere by default")
    parser.add_argument("--sea-steps", type=int, default=300, help="of each of SEA's losses (default 300)")
    parser.add_argument("--batch", type=int, default=16, help="images in a process of the battery (default 16)")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side (default 1)")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one process (default 600)")
    return parser


def _named(text: str) -> tuple[str, str]:
    name, sign, weights = text.partition("=")
    if not (name and sign and weights):
        raise argparse.ArgumentTypeError(f"NAME=FILE is needed, got {text!r}")
    return name, weights


def _methods(text: str) -> list[str]:
    names = {"peers": list(PEERS)}.get(text, text.split(","))
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]!r}; choose from {', '.join(METHODS)}")
    return names


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
