# SPDX-License-Identifier: Apache-2.0
"""How the output of the network becomes the mask that is scored, in words."""

from __future__ import annotations

from pipeline.attacks import OutputClasses, Sigmoid, Softmax

__all__ = ["describe_decision"]


def describe_decision(classes: OutputClasses) -> str:
    """Return how a network's output is decided, such as "at each pixel the class with the highest output (argmax)".

    Args:
        classes: how the output becomes classes; of kinds that are not known here, their text.

    Example:
        >>> describe_decision(Sigmoid(3))
        'at each pixel every label whose output has a sigmoid above 0.5'
    """
    if isinstance(classes, Softmax):
        return "at each pixel the class with the highest output (argmax)"
    if isinstance(classes, Sigmoid):
        return "at each pixel every label whose output has a sigmoid above 0.5"
    return f"as {classes!r} decides"
