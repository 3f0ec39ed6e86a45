# SPDX-License-Identifier: Apache-2.0
"""The assessment of a segmentation network: battery, checks, bounds, corruptions and report."""

from __future__ import annotations

from .assess_robustness import assess_robustness
from .assessment import MEASURED, Assessment, Criterion, GalleryPicture
from .assessor import Assessor
from .battery import Battery, Finding
from .budgets import BUDGETS, Budget, budget_epsilons, find_budget
from .read_batch import find_classes, image_names, measure_range, whole_masks
from .recipes import RECIPES, Recipe, check_losses
from .report import read_criteria
from .scores import CLEAN, COLUMNS, NOISE, attack_names, worst_case

__all__ = [
    "BUDGETS",
    "CLEAN",
    "COLUMNS",
    "MEASURED",
    "NOISE",
    "RECIPES",
    "Assessment",
    "Assessor",
    "Battery",
    "Budget",
    "Criterion",
    "Finding",
    "GalleryPicture",
    "Recipe",
    "assess_robustness",
    "attack_names",
    "budget_epsilons",
    "check_losses",
    "find_budget",
    "find_classes",
    "image_names",
    "measure_range",
    "read_criteria",
    "whole_masks",
    "worst_case",
]
