# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

__all__ = ["INTERRUPTED_STATUS", "interruption_sentence", "say_if_interrupted"]

INTERRUPTED_STATUS = 130  # what shells say of a program that Ctrl-C ended: 128 + SIGINT

_sentence = "Interrupted before the work began. Type the same command again."


def say_if_interrupted(sentence: str) -> None:
    """Keep the sentence in which the program ends if the user interrupts it from now on.

    It says what has been done and kept, and what the same command would do then. Each call replaces the sentence of
    the one before: call this whenever something more has been kept.
    """
    global _sentence
    _sentence = sentence


def interruption_sentence() -> str:
    """Return the sentence of the last ``say_if_interrupted``."""
    return _sentence
