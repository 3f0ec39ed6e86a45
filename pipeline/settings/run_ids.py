# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["find_run_ids"]

_NOT_RUN = ("imports", "initialize", "finalize")


def find_run_ids(config: Mapping[str, Any]) -> list[str]:
    """Return what ``python -m monai.bundle run <run id>`` may run: the top-level lists of expressions and references.

    Args:
        config: the merged configuration, macros (``%key``) replaced.
    """
    return [key for key, value in config.items() if key not in _NOT_RUN and _is_run(value)]


def _is_run(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        return False
    return any(entry.startswith("$") for entry in value) and all(entry.startswith(("$", "@")) for entry in value)
