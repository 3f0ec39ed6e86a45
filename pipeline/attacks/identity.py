# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
from typing import Any

from torch import nn

from .attack import Attack

__all__ = ["attack_identity", "describe"]


def describe(function: object) -> str:
    """Return what tells one loss, target or inferer from another: its name, its and its parts' settings."""
    kind: Any = function if hasattr(function, "__qualname__") else type(function)
    parts = dict(function.named_modules()) if isinstance(function, nn.Module) else {"": function}
    settings = {
        f"{part} {type(module).__name__}.{name}": value
        for part, module in parts.items()
        for name, value in getattr(module, "__dict__", {}).items()
        if isinstance(value, (int, float, str, list, tuple)) and name != "training"
    }
    code = getattr(function, "__code__", None)  # two lambdas differ in nothing else
    body = hashlib.sha256(repr((code.co_code, code.co_consts, code.co_names)).encode()).hexdigest() if code else ""
    return f"{kind.__module__}.{kind.__qualname__} {settings} {body}"


def attack_identity(attack: Attack) -> dict[str, Any]:
    """Return what tells an attack from another: its class and all its settings, as JSON can hold them."""
    kind = type(attack)
    settings = {name: _plain(value) for name, value in sorted(vars(attack).items())}
    return {"attack": f"{kind.__module__}.{kind.__qualname__}", **settings}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "gradients"):  # an attack that another one uses
        return attack_identity(value)
    return describe(value) if callable(value) else value
