# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .end_point_error import CrossEntropyEndPointError, EndPointError
from .pixel_cross_entropy import PixelCrossEntropy

__all__ = ["CrossEntropyEndPointError", "EndPointError", "PixelCrossEntropy"]
