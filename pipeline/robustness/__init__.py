# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .assessment import Assessment, Criterion, GalleryPicture
from .scores import CLEAN, COLUMNS, NOISE, attack_names, worst_case

__all__ = [
    "CLEAN",
    "COLUMNS",
    "NOISE",
    "Assessment",
    "Criterion",
    "GalleryPicture",
    "attack_names",
    "worst_case",
]
