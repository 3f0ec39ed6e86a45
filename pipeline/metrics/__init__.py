# SPDX-License-Identifier: Apache-2.0
"""Scores of masks."""

from __future__ import annotations

from .dic_jsc import dic_jsc
from .surface_scores import surface_scores

__all__ = ["dic_jsc", "surface_scores"]
