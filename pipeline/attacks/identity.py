# SPDX-License-Identifier: Apache-2.0
"""What tells one attack from another, for results that are kept."""

from __future__ import annotations

import functools
import hashlib
import re
from types import CodeType
from typing import Any

import torch
from torch import nn

from pipeline.losses import Scheduled

from .attack import Attack

__all__ = ["attack_identity", "describe"]


def describe(function: object) -> str:
    """Return what distinguishes a loss, target or inferer: its name, its settings and those of its parts.

    A function is told by its code, defaults and what it encloses, a partial by its arguments, a module by its tensors,
    too.
    """
    if isinstance(function, functools.partial):
        settings = [
            *map(_shown, function.args),
            *(f"{key}={_shown(value)}" for key, value in function.keywords.items()),
        ]
        return f"functools.partial({', '.join([describe(function.func), *settings])})"
    kind: Any = function if hasattr(function, "__qualname__") else type(function)
    parts = dict(function.named_modules()) if isinstance(function, nn.Module) else {"": function}
    told = {
        f"{part} {type(module).__name__}.{name}": value
        for part, module in parts.items()
        for name, value in getattr(module, "__dict__", {}).items()
        if isinstance(value, (int, float, str, list, tuple)) and name != "training"
    }
    if isinstance(function, nn.Module):
        told |= {name: _shown(tensor) for name, tensor in function.state_dict().items()}
    return f"{kind.__module__}.{kind.__qualname__} {told} {_body(function)}"


def _body(function: object) -> str:
    """A hash of what a function of Python does; empty for anything else."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    function = getattr(function, "__func__", function)
    enclosed = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    values = [getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None), *enclosed]
    return hashlib.sha256(repr((_plain_code(code), [_shown(value) for value in values])).encode()).hexdigest()


def _plain_code(code: CodeType) -> tuple[object, ...]:
    """Code without the addresses that the text of nested code has."""
    constants = [_plain_code(value) if isinstance(value, CodeType) else value for value in code.co_consts]
    return code.co_code, constants, code.co_names


def _shown(value: object) -> str:
    if isinstance(value, torch.Tensor):
        content = value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
        return f"{tuple(value.shape)} {hashlib.sha256(content).hexdigest()[:16]}"
    return describe(value) if callable(value) else re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def attack_identity(attack: Attack) -> dict[str, Any]:
    """Return what distinguishes an attack: its class and all its settings, as JSON can hold them."""
    kind = type(attack)
    settings = {name: _plain(value) for name, value in sorted(vars(attack).items())}
    return {"attack": f"{kind.__module__}.{kind.__qualname__}", **settings}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "gradients"):  # an attack that another one uses
        return attack_identity(value)
    return describe(value) if callable(value) or isinstance(value, Scheduled) else value
