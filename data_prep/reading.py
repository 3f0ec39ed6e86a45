# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline.utils import InputError

__all__ = ["read_or_note"]

T = TypeVar("T")


def read_or_note(read: Callable[[], T], path: Path, errors: list[str]) -> T | None:
    """Return what ``read`` returns, or add one sentence to ``errors`` and return None, so that the others go on.

    Args:
        read: reads and checks, and writes nothing: a full disk must end the command.
        path: the file, for the sentence on what nobody has foreseen.
        errors: a line for each wrong file.
    """
    try:
        return read()
    except InputError as error:
        sentence = str(error)
    except Exception as error:  # damaged files make libraries raise nearly anything
        sentence = f"The file {path} cannot be read ({type(error).__name__}: {error}); copy it again, or take it out."
    errors.append(sentence)
    return None
