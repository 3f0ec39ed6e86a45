# SPDX-License-Identifier: Apache-2.0
"""Training of parts of a network."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from torch import nn

from pipeline.utils import InputError

__all__ = ["freeze_except"]

LISTED_CANDIDATES = 8


def freeze_except(network: nn.Module, names: str | Sequence[str]) -> nn.Module:
    """Freeze a network except for the named parts, as in the first steps of the paper's ablation.

    A part is any component of a parameter's dotted name: ``"nlce"`` leaves ``layer4.nlce.w_z.weight`` to be trained.
    Everything else keeps its parameters and buffers to the bit: its parameters take no gradient, and its layers
    (modules without children: batch and instance normalization, dropout and all others) act in evaluation mode even
    after ``network.train()``, which a trainer calls in every iteration. Modules that hold others keep their mode, so
    that a network that returns more in training mode still does. Parts named are left as they are.

    Call it before the optimizer and ``DistributedDataParallel`` are made.

    Args:
        network: the network, changed in place.
        names: path components that remain trainable.

    Returns:
        The network itself.

    Raises:
        InputError: if no parameter that can be trained has one of the names; nothing has been frozen then.

    Example:
        >>> network = freeze_except(network, "2")  # the last layer alone is trained
        >>> [name for name, parameter in network.named_parameters() if parameter.requires_grad]
        ['2.weight', '2.bias']
    """
    names = [names] if isinstance(names, str) else list(names)
    # a module may be registered under several names, of which one is enough
    parameters = [(name.split("."), value) for name, value in network.named_parameters(remove_duplicate=False)]
    for name in names:
        if not any(name in path and parameter.requires_grad for path, parameter in parameters):
            parts = {part for path, parameter in parameters for part in path if parameter.requires_grad}
            words = sorted(part for part in parts if not part.isdigit())
            nearest = difflib.get_close_matches(name, words, n=LISTED_CANDIDATES, cutoff=0.0)
            raise InputError(
                f"freeze_except: no parameter of {type(network).__name__} that can be trained has '{name}' in its "
                f"name; the nearest parts of the names: {', '.join(nearest)}."
            )
    kept = {parameter for path, parameter in parameters if not set(names).isdisjoint(path)}
    for parameter in network.parameters():
        if parameter not in kept:
            parameter.requires_grad = False
            parameter.grad = None
    modules = list(network.named_modules(remove_duplicate=False))
    alive = {module for path, module in modules if not set(names).isdisjoint(path.split("."))}
    for module in network.modules():
        if module not in alive and not any(True for _ in module.children()):
            module.register_forward_pre_hook(_evaluate)
    return network


def _evaluate(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    module.eval()
