# SPDX-License-Identifier: Apache-2.0
"""What tells one attack, loss or network from another, for results that are kept."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from pipeline.losses import Scheduled

from .attack import Attack

__all__ = ["attack_identity", "describe", "network_identity"]

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def describe(function: object) -> str:
    """Return what distinguishes a loss, target or inferer: its name, its settings and those of its parts.

    A function is told by its code, that of the functions beside it which it calls, its defaults and what it encloses, a
    partial by its arguments, a module by its tensors, its hooks and the code of its classes, too.
    """
    return _Teller().describe(function)


def network_identity(network: nn.Module) -> str:
    """Return the SHA-256 of all that decides what a network computes: see ``describe``.

    Networks with equal weights that compute otherwise, by another attribute or other code, have another one. What code
    of other files computes is not seen.
    """
    return hashlib.sha256(describe(network).encode()).hexdigest()


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


class _Teller:
    """Describes each thing once: what comes again, such as a network that its own function encloses, by its name."""

    def __init__(self) -> None:
        self._told: dict[int, object] = {}  # kept alive, so that no other thing gets their numbers

    def describe(self, function: object) -> str:
        if isinstance(function, functools.partial):
            parts = [self.describe(function.func), *map(self._shown, function.args), self._shown(function.keywords)]
            return f"functools.partial({', '.join(parts)})"
        name = _name(function if hasattr(function, "__qualname__") else type(function))
        if id(function) in self._told:
            return name
        self._told[id(function)] = function
        if isinstance(function, nn.Module):
            return f"{name} {dict(self._module(function))}"
        settings = {key: self._shown(value) for key, value in _settings(function)}
        if isinstance(function, MethodType):
            settings["of"] = self.describe(function.__self__)
        does = self._code(function) if hasattr(function, "__qualname__") else self._class(type(function))
        return f"{name} {settings} {does}"

    def _module(self, module: nn.Module) -> Iterator[tuple[str, str]]:
        """Its tensors and, of each part, class, attributes and hooks."""
        yield from ((name, self._shown(tensor)) for name, tensor in module.state_dict().items())
        for path, part in module.named_modules():
            self._told[id(part)] = part
            yield f"{path} class", self._class(type(part))
            for name, value in vars(part).items():
                if name not in _OF_EVERY_MODULE:
                    yield f"{path}.{name}", self._shown(value)
            for name in part._non_persistent_buffers_set:
                yield f"{path}.{name}", self._shown(part._buffers[name])
            hooks = [hook for name in _HOOKS for hook in vars(part)[name].values()]
            if hooks:
                yield f"{path} hooks", self._shown(hooks)

    def _class(self, kind: type) -> str:
        """The name of a class, and a hash of what it and those that it is made from do."""
        name = _name(kind)
        if id(kind) in self._told:
            return name
        self._told[id(kind)] = kind
        own = [each for each in kind.__mro__ if each not in nn.Module.__mro__]
        members = {(each.__qualname__, key): value for each in own for key, value in vars(each).items()}
        return f"{name} {_hash([(key, self._member(value)) for key, value in members.items() if _counts(key[1])])}"

    def _member(self, value: object) -> str:
        for inside in ("__func__", "fget"):  # of static and class methods, and properties
            value = getattr(value, inside, value)
        if isinstance(value, FunctionType):
            return self._code(value)
        return self._shown(value) if _is_setting(value) else ""  # what C computes is torch's or Python's

    def _code(self, function: object) -> str:
        """A hash of what a function of Python does; empty for anything else."""
        function = getattr(function, "__func__", function)
        code = getattr(function, "__code__", None)
        if not isinstance(function, FunctionType) or code is None:
            return ""
        enclosed = [cell.cell_contents for cell in function.__closure__ or ()]
        beside = [function.__globals__.get(name) for name in code.co_names]
        helpers = [each for each in beside if isinstance(each, FunctionType) and each.__module__ == function.__module__]
        values = [function.__defaults__, function.__kwdefaults__, enclosed, helpers]
        return _hash((self._instructions(code), [self._shown(value) for value in values]))

    def _instructions(self, code: CodeType) -> tuple[object, ...]:
        """Code without the addresses that the text of nested code has."""
        constants = [
            self._instructions(value) if isinstance(value, CodeType) else self._shown(value) for value in code.co_consts
        ]
        return code.co_code, constants, code.co_names

    def _shown(self, value: object) -> str:
        if isinstance(value, torch.Tensor):
            content = value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
            return f"{tuple(value.shape)} {hashlib.sha256(content).hexdigest()[:16]}"
        if isinstance(value, Mapping):
            return f"{{{', '.join(f'{key!r}: {self._shown(each)}' for key, each in value.items())}}}"
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self._shown, value))}]"
        if isinstance(value, (set, frozenset)):  # whose order is another in each process
            return f"{{{', '.join(sorted(map(self._shown, value)))}}}"
        if callable(value) and not isinstance(value, type):
            return self.describe(value)
        return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _settings(function: object) -> Iterator[tuple[str, object]]:
    """The attributes that an object was given."""
    for name, value in getattr(function, "__dict__", {}).items():
        if _is_setting(value) or callable(value):
            yield name, value


def _is_setting(value: object) -> bool:
    return isinstance(value, (*_PLAIN, list, tuple, Mapping, torch.Tensor))


def _name(kind: Any) -> str:
    return f"{getattr(kind, '__module__', None)}.{kind.__qualname__}"  # a method of C has no module


def _counts(member: str) -> bool:
    """Whether what a class has under this name decides what its objects compute."""
    return member == "__call__" or not (member.startswith("__") and member.endswith("__"))


def _hash(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()
