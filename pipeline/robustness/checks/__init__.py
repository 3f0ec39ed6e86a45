# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .check import Check, CheckResult, Evidence, Status

__all__ = ["CHECKS", "Check", "CheckResult", "Evidence", "Status"]

# a further check is one file and one line here
CHECKS: tuple[Check, ...] = ()
