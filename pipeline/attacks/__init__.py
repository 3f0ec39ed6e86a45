# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .attack import Attack
from .attacked_network import GREY_LEVELS, AttackedNetwork
from .evaluation_mode import evaluation_mode
from .grey_levels import check_intensity_range
from .identity import attack_identity, describe
from .iterative_fgsm import IterativeFGSM
from .objective import inverse_mask, objective
from .output_classes import OutputClasses, Sigmoid, Softmax
from .pgd import PGD
from .shared_sweep import PAPER_EPSILONS, num_gradients, num_iterations, shared_sweep
from .uniform_noise import UniformNoise

__all__ = [
    "GREY_LEVELS",
    "PAPER_EPSILONS",
    "PGD",
    "Attack",
    "AttackedNetwork",
    "IterativeFGSM",
    "OutputClasses",
    "Sigmoid",
    "Softmax",
    "UniformNoise",
    "attack_identity",
    "check_intensity_range",
    "describe",
    "evaluation_mode",
    "inverse_mask",
    "num_gradients",
    "num_iterations",
    "objective",
    "shared_sweep",
]
