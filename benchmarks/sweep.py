# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import importlib
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

from pipeline.attacks import (
    PAPER_EPSILONS,
    AttackedNetwork,
    IterativeFGSM,
    inverse_mask,
    num_iterations,
    shared_sweep,
)
from pipeline.networks import NLCEN

from .figure import Figure, interleave, median_seconds, ratio
from .options import Options
from .pictures import random_batch, random_network

__all__ = ["run"]

OURS, SEPARATE, TORCHATTACKS = "shared sweep", "18 separate attacks", "torchattacks' BIM, 18 times"


class _Counted:
    """An attack with what it last returned and how many passes through the network it took."""

    def __init__(self, network: NLCEN, attack: Callable[[], dict[float, torch.Tensor]]) -> None:
        self.network, self.attack = network, attack
        self.passes = 0
        self.pictures: dict[float, torch.Tensor] = {}

    def __call__(self) -> None:
        self.passes = 0
        with self.network.register_forward_hook(self._count):
            self.pictures = self.attack()

    def _count(self, *_: object) -> None:
        self.passes += 1


def run(options: Options) -> list[Figure]:
    """The paper's 18 intensities in one sweep, in 18 attacks of the same code, and in 18 attacks of torchattacks."""
    network = random_network(options)
    image, label = random_batch(options)
    target = inverse_mask(label)
    gradient = IterativeFGSM().gradient(AttackedNetwork(network), label)
    pictures = image * 255
    attacks: dict[str, Callable[[], dict[float, torch.Tensor]]] = {
        OURS: lambda: shared_sweep(gradient, pictures, PAPER_EPSILONS),
        SEPARATE: lambda: {e: shared_sweep(gradient, pictures, [e])[e] for e in PAPER_EPSILONS},
    }
    try:
        torchattacks = _import_torchattacks(options.torchattacks)
    except ImportError as error:
        why = f"skipped, {error}; pip install --no-deps --target FOLDER torchattacks, then --torchattacks FOLDER"
    else:
        why = ""
        attacks[TORCHATTACKS] = lambda: _bim(torchattacks, network, image, target.squeeze(1).long())
    counted = {name: _Counted(network, attack) for name, attack in attacks.items()}
    seconds = interleave(counted, options.repeats or 1, options.device, warm_up=lambda: gradient(pictures))
    figures = [
        Figure("gradients of the shared sweep", counted[OURS].passes, at_least=69, at_most=69),
        Figure("gradients of 18 separate attacks", counted[SEPARATE].passes, at_least=327, at_most=327),
        *(median_seconds(name, samples) for name, samples in seconds.items()),
        ratio("18 separate attacks / shared sweep", seconds[SEPARATE], seconds[OURS], at_least=options.bound(4)),
        # on CUDA the same gradient twice need not give the same bits, unless deterministic algorithms are asked for
        Figure(
            "largest difference from 18 separate attacks",
            _largest_difference(counted[OURS].pictures, counted[SEPARATE].pictures),
            "grey levels",
            at_most=0 if options.device == "cpu" else None,
        ),
    ]
    if why:
        return [*figures, Figure(TORCHATTACKS, None, note=why)]
    theirs = counted[TORCHATTACKS].pictures
    return [
        *figures,
        ratio("torchattacks' BIM / shared sweep", seconds[TORCHATTACKS], seconds[OURS], at_least=options.bound(4)),
        Figure("gradients of torchattacks' BIM", counted[TORCHATTACKS].passes),
        Figure(
            "largest difference from torchattacks' BIM",
            _largest_difference(counted[OURS].pictures, theirs),
            "grey levels",
            note="it rounds in [0, 1]: where a gradient is almost 0, its sign may differ",
        ),
        Figure(
            "pixels that differ by more than 0.01 grey levels",
            100 * statistics.mean(_differing(counted[OURS].pictures[e], theirs[e]) for e in PAPER_EPSILONS),
            "%",
        ),
    ]


def _bim(
    torchattacks: ModuleType, network: NLCEN, image: torch.Tensor, target: torch.Tensor
) -> dict[float, torch.Tensor]:
    """torchattacks' BIM towards ``target`` with as many iterations as ours for each ε, back in grey levels."""
    adversarial = {}
    for epsilon in PAPER_EPSILONS:
        attack = torchattacks.BIM(network, eps=epsilon / 255, alpha=1 / 255, steps=num_iterations(epsilon))
        attack.set_mode_targeted_by_label(quiet=True)
        adversarial[epsilon] = attack(image, target) * 255
    return adversarial


def _import_torchattacks(folder: Path | None) -> ModuleType:
    if folder is not None:
        sys.path.append(str(folder))
    return importlib.import_module("torchattacks")


def _largest_difference(first: dict[float, torch.Tensor], second: dict[float, torch.Tensor]) -> float:
    return max((first[epsilon] - second[epsilon]).abs().max().item() for epsilon in PAPER_EPSILONS)


def _differing(first: torch.Tensor, second: torch.Tensor) -> float:
    return ((first - second).abs() > 0.01).float().mean().item()
