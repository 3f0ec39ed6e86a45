# SPDX-License-Identifier: Apache-2.0
"""Says what to install where packages of one of the project's extras are missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from .errors import InputError

__all__ = ["check_extra"]


def check_extra(extra: str, packages: Sequence[str]) -> None:
    """Check that the packages of an extra of ``pyproject.toml`` are installed; import them only then.

    >>> check_extra("export", ["json"])

    Raises:
        InputError: if one is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise InputError(
            f"This needs {', '.join(missing)}: pip install '.[{extra}]' in the repository, "
            f"or pip install {' '.join(missing)}."
        )
