# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .dic_jsc import dic_jsc

__all__ = ["dic_jsc"]
