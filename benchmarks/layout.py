# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy

import torch

from pipeline.attacks import AttackedNetwork, IterativeFGSM

from .figure import Figure, interleave, median_seconds, ratio
from .options import Options
from .pictures import random_batch, random_network

__all__ = ["run"]


def run(options: Options) -> list[Figure]:
    """One gradient of the attack with the network in channels-last, as it is built, and in NCHW."""
    image, label = random_batch(options)
    image = image * 255
    built = random_network(options)
    other = copy.deepcopy(built).to(memory_format=torch.contiguous_format)
    gradients = {
        name: IterativeFGSM().gradient(AttackedNetwork(network), label)
        for name, network in (("channels-last", built), ("NCHW", other))
    }
    last, first = (gradient(image) for gradient in gradients.values())
    variants = {name: lambda gradient=gradient: gradient(image) for name, gradient in gradients.items()}
    seconds = interleave(variants, options.repeats or 5, options.device)
    # single pixels may jump, where rounding turns a ReLU or the place of a maximum; the attack takes the sign only
    differing = 100 * (last.sign() != first.sign()).float().mean().item()
    return [
        Figure("gradients whose sign differs", differing, "%", at_most=1.0),
        median_seconds("channels-last", seconds["channels-last"]),
        median_seconds("NCHW", seconds["NCHW"]),
        ratio("NCHW / channels-last", seconds["NCHW"], seconds["channels-last"], at_least=options.bound(1.0)),
    ]
