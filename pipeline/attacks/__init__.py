# SPDX-License-Identifier: Apache-2.0
"""Adversarial attacks on segmentation networks, and what they attack."""

from __future__ import annotations

from .adam import ProjectedAdam
from .apgd import APGD
from .attack import Attack, ContinuingAttack
from .attacked_network import GREY_LEVELS, AttackedNetwork, Slope
from .evaluation_mode import evaluation_mode
from .fast_precision import fast_precision
from .gradient_attack import Ball, GradientAttack
from .grey_levels import check_intensity_range
from .identity import attack_identity, describe, network_identity
from .iterative_fgsm import IterativeFGSM
from .objective import inverse_mask, objective
from .output_classes import OutputClasses, Sigmoid, Softmax
from .pgd import PGD
from .random_start import image_generator, uniform_noise
from .shared_sweep import PAPER_EPSILONS, num_gradients, num_iterations, shared_sweep
from .square import Square
from .transfer import Transfer
from .uniform_noise import UniformNoise
from .worst_found import WorstFound

__all__ = [
    "APGD",
    "GREY_LEVELS",
    "PAPER_EPSILONS",
    "PGD",
    "Attack",
    "AttackedNetwork",
    "Ball",
    "ContinuingAttack",
    "GradientAttack",
    "IterativeFGSM",
    "OutputClasses",
    "ProjectedAdam",
    "Sigmoid",
    "Slope",
    "Softmax",
    "Square",
    "Transfer",
    "UniformNoise",
    "WorstFound",
    "attack_identity",
    "check_intensity_range",
    "describe",
    "evaluation_mode",
    "fast_precision",
    "image_generator",
    "inverse_mask",
    "network_identity",
    "num_gradients",
    "num_iterations",
    "objective",
    "shared_sweep",
    "uniform_noise",
]
