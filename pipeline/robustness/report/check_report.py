# SPDX-License-Identifier: Apache-2.0
"""Whether a report has the form that ``report_schema.json`` describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

from pipeline.utils import InputError

__all__ = ["REPORT_SCHEMA", "check_report", "read_report"]

REPORT_SCHEMA = Path(__file__).with_name("report_schema.json")


def check_report(report: Mapping[str, Any], name: str = "report.json") -> None:
    """Refuse a report that has not the form of ``report_schema.json``.

    Args:
        report: the content of ``report.json``.
        name: what it is called in the message.

    Raises:
        InputError: if a key is missing, unknown or has another kind of value, a number is not finite, or what is given
            for each ε is not given for the report's.
    """
    validator = jsonschema.Draft202012Validator(json.loads(REPORT_SCHEMA.read_text(encoding="utf-8")))
    problem = jsonschema.exceptions.best_match(validator.iter_errors(report))
    if problem is not None:
        where = "".join(f"{part}: " for part in problem.absolute_path)
        raise InputError(f"{name}: {where}{problem.message}. See {REPORT_SCHEMA.name} for the form.")
    epsilons = [f"{epsilon:g}" for epsilon in report["epsilons"]]
    for key in ("worst_case", "floor", "ceiling"):
        if list(report[key]) != epsilons:
            raise InputError(f"{name}: {key}: has the ε {', '.join(report[key])}, not those of epsilons.")
    try:
        json.dumps(report, allow_nan=False)
    except ValueError as error:
        raise InputError(f"{name}: a number is not finite; write null for what is not known.") from error


def read_report(path: Path) -> dict[str, Any]:
    """Return the content of a ``report.json``.

    Raises:
        InputError: if the file is missing, no JSON, or none of this form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no report {path}; name the report.json of a robustness run.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"The report {path} cannot be read as JSON ({error}).") from error
    check_report(content, str(path))
    return dict(content)
