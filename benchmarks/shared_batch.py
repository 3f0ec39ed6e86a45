# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ignite.distributed as idist
import torch

from pipeline.attacks import PAPER_EPSILONS, AttackedNetwork, IterativeFGSM
from pipeline.utils import batch_size_per_process

from .figure import synchronize
from .options import Options
from .pictures import random_batch, random_network, training_bundle
from .training_step import one_step

__all__ = ["launch", "measure"]


def launch(work: str, options: Options, processes: int, threads: int) -> list[float]:
    """Measure with a number of fresh processes that share each batch, each with a number of threads.

    Args:
        work: ``"training step"`` or ``"sweep"``.
        options: ``batch`` is that of all processes together.
        processes: 1, or as many as ``torchrun`` starts; on CUDA each has a GPU of its own.
        threads: of each process.

    Returns:
        Seconds until all are done, of each step, or of the sweep.
    """
    given = json.dumps(dataclasses.asdict(options), default=str)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else []), "-m", "benchmarks.shared_batch", work, given]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if options.device == "cpu":
        # the bundle takes GPUs where it sees them
        environment["CUDA_VISIBLE_DEVICES"] = ""
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"The measurement of the {work} by {processes} processes failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(work: str, options: Options) -> list[float]:
    """Measure with this process and those that ``torchrun`` started beside it; see :func:`launch`."""
    several = "WORLD_SIZE" in os.environ
    bundle = training_bundle(
        options,
        overlays=("multi_gpu_train",) if several else (),
        device="$idist.device()" if several else f"$torch.device('{options.device}')",
    )
    bundle.get_parsed_content("processes")
    share = dataclasses.replace(options, batch=batch_size_per_process(options.batch))
    if work == "sweep":
        attack = _sweep(share)
        attack(PAPER_EPSILONS[:1])
        return [_seconds(lambda: attack(PAPER_EPSILONS), options.device)]
    step = one_step(bundle, share)
    step()
    return [_seconds(step, options.device) for _ in range(5)]


def _sweep(options: Options) -> Callable[[tuple[float, ...]], dict[float, torch.Tensor]]:
    network = random_network(options)
    image, label = random_batch(options)
    attacked = AttackedNetwork(network)
    return lambda epsilons: IterativeFGSM()(attacked, attacked.grey_levels(image), label, epsilons)


def _seconds(run: Callable[[], object], device: str) -> float:
    synchronize(device)
    idist.barrier()
    start = time.perf_counter()
    run()
    synchronize(device)
    idist.barrier()
    return time.perf_counter() - start


if __name__ == "__main__":
    measured = measure(sys.argv[1], Options(**json.loads(sys.argv[2])))
    if idist.get_rank() == 0:
        print(json.dumps(measured))
    idist.finalize()
