# SPDX-License-Identifier: Apache-2.0
"""The report of a comparison: statistics, figures and one page."""

from __future__ import annotations

from .write_report import write_report

__all__ = ["write_report"]
