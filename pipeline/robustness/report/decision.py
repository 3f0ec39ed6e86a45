# SPDX-License-Identifier: Apache-2.0
"""What classes a network tells apart, and how its output becomes the mask that is scored, in words."""

from __future__ import annotations

from pipeline.attacks import OutputClasses, Sigmoid, Softmax

__all__ = ["describe_classes", "describe_decision"]


def describe_classes(classes: OutputClasses) -> str:
    """Return what a network tells apart, such as "2, which exclude each other; the first is the background".

    Args:
        classes: how the output becomes classes; of kinds that are not known here, their text.

    Example:
        >>> describe_classes(Sigmoid(3))
        '3 labels, which may overlap'
    """
    if isinstance(classes, Softmax):
        return f"{classes.channels}, which exclude each other; the first is the background"
    if isinstance(classes, Sigmoid):
        return "1 label" if classes.channels == 1 else f"{classes.channels} labels, which may overlap"
    return repr(classes)


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
