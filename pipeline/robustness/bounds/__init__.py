# SPDX-License-Identifier: Apache-2.0
"""Floor and ceiling of the worst case."""

from __future__ import annotations

from .ceiling import ceiling, why_no_ceiling
from .constant_mask import ConstantMask

__all__ = ["ConstantMask", "ceiling", "why_no_ceiling"]
