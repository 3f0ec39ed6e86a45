# SPDX-License-Identifier: Apache-2.0
"""The attacks that are compared: the battery, SEA's three losses, and those of other libraries.

All take images (N, 1, H, W) of 0 to 1 and masks (N, H, W), and return adversarial images (E, N, 1, H, W). Libraries are
imported by the function that needs them, since each lives in a folder of its own.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import MagicMock

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.attacks import GREY_LEVELS, AttackedNetwork, WorstFound
from pipeline.losses import BalancedMaskedCrossEntropy, JensenShannon, MaskedCrossEntropy
from pipeline.robustness.battery import Battery
from pipeline.robustness.budgets import find_budget

from .problem import Problem
from .sea import ReferenceAPGD

__all__ = ["METHODS", "OURS", "PEERS", "SEA", "Method"]

OURS = "battery"
SEA = "SEA"


@dataclass(frozen=True)
class Method:
    """An attack.

    Attributes:
        attack: from a network, images, masks and a problem to adversarial images.
        package: folder of its library below that of all peers; None for this project's.
        smallest: it looks for the smallest change that turns 99 % of the pixels, whatever ε is.
        note: what a reader of its figures must know.
    """

    attack: Callable[[nn.Module, torch.Tensor, torch.Tensor, Problem], torch.Tensor]
    package: str | None = None
    smallest: bool = False
    note: str = ""


def _battery(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    attacked, pictures, masks = AttackedNetwork(network), GREY_LEVELS * images, labels[:, None].float()
    worst, found = WorstFound(attacked, pictures, masks), {}
    for finding in Battery(find_budget(problem.budget))(attacked, pictures, masks):
        worst.offer(finding.picture, finding.prediction)
        # the last one at this ε stays
        found[finding.epsilon] = worst.picture
    return torch.stack([found[float(epsilon)] for epsilon in problem.epsilons]) / GREY_LEVELS


def _sea(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    attacked, pictures, masks = AttackedNetwork(network), GREY_LEVELS * images, labels[:, None].float()
    start = images if problem.worst is None else torch.from_numpy(problem.worst).to(images)[:, None] / GREY_LEVELS
    worst = WorstFound(attacked, GREY_LEVELS * start, masks)
    found = []
    for epsilon in problem.epsilons:
        for loss in (BalancedMaskedCrossEntropy(), MaskedCrossEntropy(), JensenShannon()):
            # nothing is worse than 0, which a larger ε and another loss keep
            left = worst.dic > 0
            if left.any():
                attack = ReferenceAPGD(problem.sea_steps, loss_function=loss, target=None)
                pictures_found = worst.picture.clone()
                pictures_found[left] = attack(attacked, pictures[left], masks[left], [float(epsilon)])[float(epsilon)]
                worst.offer(pictures_found)
        found.append(worst.picture)
    return torch.stack(found) / GREY_LEVELS


def _adv_lib() -> types.ModuleType:
    # visdom draws its curves, and torchvision's networks measure how alike pictures look: nobody asks for either here
    for name in ("visdom", "torchvision"):
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules[name] = MagicMock()
    import adv_lib.attacks.segmentation as attacks

    return attacks


def _dag(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    return _adv_lib().dag(network, images, labels)[None]


def _asma(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    return _adv_lib().asma(network, images, 1 - labels, targeted=True)[None]


def _alma_prox(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    return _adv_lib().alma_prox(_ThirdLogit(network), images, labels)[None]


def _pdpgd(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    return _adv_lib().pdpgd(network, images, labels, norm=float("inf"))[None]


class _ThirdLogit(nn.Module):
    """A network of two classes with a third that it never predicts."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.pad(self.network(images), (0, 0, 0, 0, 0, 1), value=-1e4)


def _cospgd(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    from cospgd import functions

    def scaled(logits: torch.Tensor, loss: torch.Tensor, step: int, steps: int) -> torch.Tensor:
        return functions.cospgd_scale(logits, labels, loss, num_classes=2).mean()

    return _keuper_steps(network, images, labels, problem, scaled)


def _segpgd(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    from cospgd import functions

    def scaled(logits: torch.Tensor, loss: torch.Tensor, step: int, steps: int) -> torch.Tensor:
        return functions.segpgd_scale(logits, labels, loss, step, steps)

    return _keuper_steps(network, images, labels, problem, scaled)


def _keuper_steps(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    problem: Problem,
    scaled: Callable[[torch.Tensor, torch.Tensor, int, int], torch.Tensor],
    steps: int = 100,
    alpha: float = 0.01,
) -> torch.Tensor:
    """The loop around the package's functions, with the largest of its authors' numbers of steps and their step."""
    from cospgd import functions

    found = []
    for epsilon in problem.epsilons / GREY_LEVELS:
        adversarial = functions.init_linf(images, epsilon)
        for step in range(steps):
            adversarial.requires_grad_()
            logits = network(adversarial)
            loss = F.cross_entropy(logits, labels, reduction="none")
            (gradient,) = torch.autograd.grad(scaled(logits, loss, step, steps), adversarial)
            adversarial = functions.step_inf(adversarial, epsilon, gradient, images, alpha, targeted=False)
        found.append(adversarial)
    return torch.stack(found)


def _torchattacks(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, problem: Problem) -> torch.Tensor:
    from torchattacks import PGD

    return torch.stack([PGD(network, eps=epsilon / GREY_LEVELS)(images, labels) for epsilon in problem.epsilons])


PEERS = {
    "adv-lib DAG": Method(_dag, "adv_lib", smallest=True),
    "adv-lib ASMA": Method(_asma, "adv_lib", smallest=True, note="towards the inverse mask"),
    "adv-lib ALMA-prox": Method(_alma_prox, "adv_lib", smallest=True, note="with a third logit of −10,000"),
    "adv-lib PDPGD": Method(_pdpgd, "adv_lib", smallest=True),
    "cospgd CosPGD": Method(_cospgd, "cospgd", note="100 steps"),
    "cospgd SegPGD": Method(_segpgd, "cospgd", note="100 steps"),
    "torchattacks PGD": Method(_torchattacks, "torchattacks", note="10 steps"),
}
METHODS = {OURS: Method(_battery), SEA: Method(_sea), **PEERS}
