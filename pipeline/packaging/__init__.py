# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from .package_bundle import package_bundle

__all__ = ["package_bundle"]
