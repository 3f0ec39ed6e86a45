# SPDX-License-Identifier: Apache-2.0
"""The checks for masked gradients."""

from __future__ import annotations

from .attacks_agree import AttacksAgree
from .average_over_draws import AverageOverDraws
from .batch_independence import BatchIndependence
from .check import Check, CheckResult, Status
from .earlier_pictures import EarlierPictures
from .evidence import Evidence
from .finite_differences import FiniteDifferences
from .forward_passes import ForwardPasses
from .gradient_free import GradientFree
from .gradient_mode import GradientMode
from .huge_epsilon import HugeEpsilon
from .mirrored_pictures import MirroredPictures
from .moving_attacks import MovingAttacks
from .one_step import OneStep
from .output_is_logits import OutputIsLogits
from .rescaled_logits import RescaledLogits
from .zero_gradients import ZeroGradients

__all__ = ["CHECKS", "Check", "CheckResult", "Evidence", "Status"]

# a further check is one file and one line here
CHECKS: tuple[Check, ...] = (
    ForwardPasses(),
    BatchIndependence(),
    EarlierPictures(),
    GradientMode(),
    OutputIsLogits(),
    ZeroGradients(),
    RescaledLogits(),
    FiniteDifferences(),
    AverageOverDraws(),
    MovingAttacks(),
    AttacksAgree(),
    GradientFree(),
    OneStep(),
    MirroredPictures(),
    HugeEpsilon(),
)
