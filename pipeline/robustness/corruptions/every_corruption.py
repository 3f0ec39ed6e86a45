# SPDX-License-Identifier: Apache-2.0
"""The list of corruptions."""

from __future__ import annotations

from .corruption import Corruption
from .intensity import contrast, exposure
from .jpeg import is_grey_or_color, jpeg
from .noise import gaussian_noise, shot_noise, speckle_noise
from .rotation import rotate_label, rotate_picture
from .sharpness import blur, low_resolution

__all__ = ["CORRUPTIONS"]

# a further corruption is one function, one line here and one line in severities.py
CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption("gaussian noise", gaussian_noise),
    Corruption("speckle noise", speckle_noise, needs_zero=True),
    Corruption("shot noise", shot_noise, needs_zero=True),
    Corruption("overexposure", exposure, needs_zero=True),
    Corruption("underexposure", exposure, needs_zero=True),
    Corruption("high contrast", contrast),
    Corruption("low contrast", contrast),
    Corruption("blur", blur),
    Corruption("JPEG", jpeg, applies=is_grey_or_color),
    Corruption("low resolution", low_resolution),
    Corruption("rotation", rotate_picture, move=rotate_label),
)
