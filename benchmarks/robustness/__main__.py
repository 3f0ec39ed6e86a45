# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.robustness``: the battery beside SEA and other libraries' attacks on the same pictures."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
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
from pipeline.utils import InputError, atomic_path

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
        _Comparison(given).run()
    except InputError as error:
        sys.exit(str(error))


def tasks_of(
    name: str, problem: Problem, at_sea: np.ndarray, batch: int, methods: Sequence[str]
) -> list[Sequence[Task]]:
    """Return the processes of one network, each list to be run in its order.

    A peer has one process. Ours has one for each batch of images, SEA one for each batch and ε, from the smallest on.
    """
    at_peers = problem.epsilons[np.isin(problem.epsilons, AT_PEERS)]
    lists: list[Sequence[Task]] = []
    for method in methods:
        if method in PEERS:
            lists.append([Task(name, method, replace(problem, epsilons=at_peers))])
            continue
        for first in range(0, len(problem.images), batch):
            part = slice(first, first + batch)
            own = replace(problem, images=problem.images[part], labels=problem.labels[part])
            steps = [problem.epsilons] if method == OURS else [np.array([epsilon]) for epsilon in sorted(at_sea)]
            lists.append([Task(name, method, replace(own, epsilons=epsilons), first) for epsilons in steps])
    return lists


class _Comparison:
    """All processes of a call; what they found is kept in a folder, and taken from there when called again."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # scores are in single precision, whatever the attacks compute in
        torch.backends.cudnn.allow_tf32 = False
        images, labels = read_pictures(given.data)
        images, labels = images[: given.images], labels[: given.images]
        epsilons = np.array(find_budget(given.budget).epsilons)
        at_sea = epsilons if given.sea_epsilons is None else np.array(given.sea_epsilons)
        if not set(at_sea) <= set(epsilons):
            raise InputError(
                f"--sea-epsilons: those of the budget are possible, {', '.join(f'{e:g}' for e in epsilons)}."
            )
        self.referees: dict[str, Referee] = {}
        self.results: dict[str, Results] = {}
        self.lists: list[Sequence[Task]] = []
        for name, weights in given.network:
            problem = Problem(weights, images, labels, epsilons, given.budget, given.sea_steps)
            self.referees[name] = Referee(AttackedNetwork(load_network(weights, device)), problem, device)
            self.results[name] = Results(epsilons, at_sea, given.sea_steps, self.referees[name].clean())
            self.lists += tasks_of(name, problem, at_sea, given.batch, given.methods)
        # first what takes longest, then what is quick, then SEA
        self.lists.sort(key=lambda tasks: (tasks[0].method != OURS, tasks[0].method == SEA))
        self.answers = given.output.with_suffix(".answers")
        self.circumstances = _circumstances(given, len(images), device)
        self.writing = threading.Lock()

    def run(self) -> None:
        self._write()
        with ThreadPoolExecutor(self.given.jobs) as pool:
            for done in as_completed([pool.submit(self._follow, tasks) for tasks in self.lists]):
                done.result()
        print(self.given.output.with_suffix(".md").read_text())

    def _follow(self, tasks: Sequence[Task]) -> None:
        """Run tasks one after the other; each begins with what the ones before it have found."""
        worst = None
        for task in tasks:
            task = replace(task, problem=replace(task.problem, worst=worst))
            answer = self._answer(task)
            with self.writing:
                self._keep(task, answer)
                self._write()
            print(f"{task.network}: {task.method} from image {task.first} done", file=sys.stderr, flush=True)
            if isinstance(answer, str):
                break
            worst = answer.pictures[-1]

    def _answer(self, task: Task) -> Answer | str:
        kept = self.answers / f"{task.network} {task.method} {task.problem.digest()}.npz"
        if not kept.exists():
            try:
                with atomic_path(kept) as place:
                    _start(task, place, self.given.peers, self.given.limit, self.given.jobs)
            except InputError as error:
                return str(error)
        return Answer.load(kept)

    def _keep(self, task: Task, answer: Answer | str) -> None:
        """Score an answer and add it to the results."""
        result = self.results[task.network]
        if isinstance(answer, str):
            result.failed[task.method] = answer
            return
        referee = self.referees[task.network]
        try:
            scores = referee.scores(task.method, answer.pictures, task.problem.epsilons, task.first)
        except InputError as error:
            result.failed[task.method] = str(error)
            return
        result.scores = pd.concat([result.scores, scores], ignore_index=True)
        cost = result.costs.setdefault(task.method, Cost())
        cost.gradients += answer.gradients * len(task.problem.images) / len(referee.pictures)
        cost.seconds += answer.seconds
        cost.commits.add(answer.commit)
        result.devices.add(answer.device)

    def _write(self) -> None:
        write(self.given.output, self.results, self.circumstances)


def _start(task: Task, found: Path, peers: Path, limit: float, jobs: int) -> None:
    """Run a task in a process of its own that writes ``found``; an ``InputError`` says why it failed."""
    package = METHODS[task.method].package
    own = [] if package is None else [str(peers.resolve() / package)]
    path = os.pathsep.join([*own, str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # what adv-lib compiles is computed step by step: a compiler is not everywhere, and takes longer than the attack
    environment = os.environ | {"PYTHONPATH": path, "TORCHDYNAMO_DISABLE": "1"}
    if jobs > 1:
        environment |= {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "problem.npz"
        task.problem.save(given)
        program = [sys.executable, "-m", "benchmarks.robustness.peer", task.method]
        command = [*program, "--input", str(given), "--output", str(found)]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise InputError(f"it took longer than {limit:g} s.") from error
    if done.returncode:
        raise InputError(
            (done.stderr.strip().splitlines() or [f"it ended with {done.returncode} and said nothing."])[-1]
        )


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
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("robustness.json"),
        help="a table and a folder of answers go beside it; the same call goes on with them",
    )
    parser.add_argument("--images", type=int, default=16, help="number of images (default 16)")
    parser.add_argument(
        "--methods", type=_methods, default=list(METHODS), help=f"of {', '.join(METHODS)}; all by default"
    )
    parser.add_argument("--budget", default="full", help="of the battery (default full)")
    parser.add_argument("--sea-epsilons", type=_numbers, help="where SEA is measured; everywhere by default")
    parser.add_argument("--sea-steps", type=int, default=300, help="of each of SEA's losses (default 300)")
    parser.add_argument("--batch", type=int, default=16, help="images in a process of the battery or SEA (default 16)")
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
