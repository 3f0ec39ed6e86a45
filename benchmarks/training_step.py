# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.bundle import ConfigParser

from .figure import Figure, interleave, median_seconds, ratio
from .options import Options
from .peak_memory import megabytes, peak_memory
from .pictures import random_batch, training_bundle

__all__ = ["case", "one_step", "run"]


def case(name: str, options: Options) -> Callable[[], torch.Tensor]:
    """One training step of the bundle's network ``"with"`` or ``"without"`` NLCE."""
    return one_step(training_bundle(options, nlce=name == "with"), options)


def one_step(bundle: ConfigParser, options: Options) -> Callable[[], torch.Tensor]:
    """One training step of a bundle on a random batch: forward, loss, backward, Adam; it returns the loss."""
    torch.manual_seed(0)
    keys = ("train#trainer#network", "train#inferer", "loss", "optimizer")
    network, inferer, loss_function, optimizer = (bundle.get_parsed_content(key) for key in keys)
    network.train()
    image, label = random_batch(options)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_function(inferer(image, network), label)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def run(options: Options) -> list[Figure]:
    """One training step of NLCEN with and without NLCE."""
    steps = {name: case(name, options) for name in ("with", "without")}
    seconds = interleave(steps, options.repeats or 5, options.device)
    bound = options.bound(1.3 if options.device == "cuda" else 1.6)
    return [
        median_seconds("NLCEN", seconds["with"]),
        median_seconds("NLCEN without NLCE", seconds["without"]),
        ratio("with / without", seconds["with"], seconds["without"], at_most=bound),
        megabytes("peak memory of NLCEN", peak_memory("training_step.with", options)),
        megabytes("peak memory of NLCEN without NLCE", peak_memory("training_step.without", options)),
    ]
