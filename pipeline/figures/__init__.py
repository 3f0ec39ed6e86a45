# SPDX-License-Identifier: Apache-2.0
"""Curves and panels."""

from __future__ import annotations

from .comparison_curves import Curve, CurvePanel, save_comparison_curves
from .comparison_panel import AttackedPicture, save_attack_panel, save_prediction_panel
from .epsilon_curve import mean_scores, save_epsilon_curve
from .panel import save_panel
from .pictures import PREDICTED

__all__ = [
    "PREDICTED",
    "AttackedPicture",
    "Curve",
    "CurvePanel",
    "mean_scores",
    "save_attack_panel",
    "save_comparison_curves",
    "save_epsilon_curve",
    "save_panel",
    "save_prediction_panel",
]
