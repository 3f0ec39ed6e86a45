# SPDX-License-Identifier: Apache-2.0
"""The report of an assessment."""

from __future__ import annotations

from .bootstrap import bootstrap_interval
from .check_report import check_report, read_report
from .decision import describe_classes, describe_decision
from .findings import findings
from .instructions import instructions_for_use
from .make_report import SCHEMA_VERSION, make_report
from .page import make_page
from .read_criteria import read_criteria
from .write_report import write_report

__all__ = [
    "SCHEMA_VERSION",
    "bootstrap_interval",
    "check_report",
    "describe_classes",
    "describe_decision",
    "findings",
    "instructions_for_use",
    "make_page",
    "make_report",
    "read_criteria",
    "read_report",
    "write_report",
]
