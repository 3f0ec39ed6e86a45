# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn

from .attacked_network import AttackedNetwork

__all__ = ["Attack", "attack_identity", "describe"]


class Attack(Protocol):
    """An attack: an object that holds its settings as plain attributes, from which ``attack_identity`` tells it.

    What it needs of the network it asks ``attacked`` for; grey levels and intensities are those of 0 to 255. It must
    give the same pictures for the same image whatever else is in the batch, or a sweep that goes on would differ.
    """

    def __call__(
        self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, epsilons: Sequence[float]
    ) -> dict[float, torch.Tensor]:
        """Return adversarial pictures for each ε.

        Args:
            attacked: what is attacked.
            picture: clean pictures (B, C, *spatial) in grey levels.
            label: their masks, as ``attacked.classes`` has them.
            epsilons: intensities ε, rising: the most that a grey level may change, counted in ``unit``.
        """

    @property
    def unit(self) -> float:
        """What ε counts, in grey levels of 255."""

    def check(self, epsilons: Sequence[float]) -> None:
        """Raise an ``InputError`` for intensities or settings that the attack is not defined for."""

    def steps(self, epsilon: float) -> int:
        """Return how many steps it takes at an ε."""

    def gradients(self, epsilons: Sequence[float]) -> int:
        """Return how many gradients it computes for each batch, which share them."""


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
