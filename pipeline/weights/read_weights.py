# SPDX-License-Identifier: Apache-2.0
"""Reading files of weights without running code."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline.utils import InputError

__all__ = ["check_finite", "first_non_finite", "read_weights"]

UNREADABLE = (UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, struct.error, SafetensorError)


def read_weights(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of weights onto the CPU, without running any code that it may hold.

    A name that ends in ``.safetensors`` is read as safetensors, any other as PyTorch's format.

    Returns:
        The dictionary in the file: a state dict, or one of several.

    Raises:
        InputError: if the file is missing, cannot be read, holds something else, or numbers that are not finite.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}; name a file of weights.")
    safe = Path(path).suffix == ".safetensors"
    try:
        content = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        kind = "safetensors" if safe else "PyTorch"
        raise InputError(
            f"{path} is not a {kind} file of weights, or is damaged; remove it or name another."
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no state dict; name a file of weights.")
    check_finite(content, path)
    return content


def first_non_finite(content: Mapping[Any, Any]) -> str | None:
    """Return the name of the first tensor that holds NaN or an infinity, None where all are finite.

    Args:
        content: a state dict, or a dictionary of several; the names of nested ones are joined by dots. What is no
            tensor does not count: a scheduler's best loss is infinite before the first epoch.
    """
    for name, value in content.items():
        if isinstance(value, Mapping):
            inner = first_non_finite(value)
            if inner is not None:
                return f"{name}.{inner}"
        elif isinstance(value, torch.Tensor) and not torch.isfinite(value).all():
            return str(name)
    return None


def check_finite(content: Mapping[Any, Any], path: str | os.PathLike[str]) -> None:
    """Refuse weights that come from ``path`` if any is NaN or infinite: such a network predicts nothing at all.

    Raises:
        InputError: if there is such a number; the message names the first tensor.
    """
    name = first_non_finite(content)
    if name is not None:
        raise InputError(
            f"{path} holds numbers that are not finite, first in '{name}', as a training that diverged leaves them; "
            "remove it or name another."
        )
