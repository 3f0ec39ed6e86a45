# SPDX-License-Identifier: Apache-2.0
"""Scores of masks."""

from __future__ import annotations

from .class_dic import class_dic
from .dic_jsc import dic_jsc
from .surface_scores import surface_scores

__all__ = ["class_dic", "dic_jsc", "surface_scores"]
