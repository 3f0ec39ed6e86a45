# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from pipeline.utils import InputError

__all__ = ["select_names"]


def select_names(names: Sequence[str], patterns: Iterable[str] | None) -> list[str]:
    """Return the names that match one of the patterns (``*``, ``?``, ``[...]``), in their order; all without patterns.

    Raises:
        InputError: if a pattern matches nothing; the message lists near names.
    """
    if patterns is None:
        return list(names)
    chosen: set[str] = set()
    for pattern in patterns:
        matches = {name for name in names if fnmatchcase(name, pattern)}
        if not matches:
            near = difflib.get_close_matches(pattern.strip("*"), names, n=3, cutoff=0.4)
            hint = f"near it are: {', '.join(near)}." if near else "list all with --dry-run."
            raise InputError(f"--only {pattern}: matches no cell; {hint}")
        chosen |= matches
    return [name for name in names if name in chosen]
