# SPDX-License-Identifier: Apache-2.0
"""Corruptions of pictures without an adversary."""

from __future__ import annotations

from .corruption import Corruption
from .every_corruption import CORRUPTIONS
from .scores import corrupted_scores
from .severities import SEVERITIES, Severities

__all__ = ["CORRUPTIONS", "SEVERITIES", "Corruption", "Severities", "corrupted_scores"]
