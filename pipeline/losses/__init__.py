# SPDX-License-Identifier: Apache-2.0
"""Losses of trainings and attacks."""

from __future__ import annotations

from .attack_losses import (
    BalancedMaskedCrossEntropy,
    CosPGDLoss,
    GrowLoss,
    JensenShannon,
    Margin,
    MaskedCrossEntropy,
    Scheduled,
    SegPGDSchedule,
    ShrinkLoss,
    Tsallis,
    TsallisSweep,
    WeightedCrossEntropy,
)
from .end_point_error import CrossEntropyEndPointError, EndPointError
from .pixel_cross_entropy import PixelCrossEntropy
from .soft_dice import SoftDice

__all__ = [
    "BalancedMaskedCrossEntropy",
    "CosPGDLoss",
    "CrossEntropyEndPointError",
    "EndPointError",
    "GrowLoss",
    "JensenShannon",
    "Margin",
    "MaskedCrossEntropy",
    "PixelCrossEntropy",
    "Scheduled",
    "SegPGDSchedule",
    "ShrinkLoss",
    "SoftDice",
    "Tsallis",
    "TsallisSweep",
    "WeightedCrossEntropy",
]
