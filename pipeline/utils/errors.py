# SPDX-License-Identifier: Apache-2.0
"""Errors of the user and interruptions, as one sentence each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType

import torch.distributed as dist

from .first_process import is_first_process
from .progress import close_bars

__all__ = [
    "INTERRUPTED_STATUS",
    "InputError",
    "OutOfMemory",
    "error_chain",
    "explain_input_errors",
    "find_input_error",
    "innermost_cause",
    "interruption_sentence",
    "say_if_interrupted",
]


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


class InputError(ValueError):
    """The user gave something wrong: a file, a folder, a configuration key or a command-line option.

    The message is whole sentences: it names the file or key, says what is wrong and what to do.
    """


class OutOfMemory(InputError):
    """What the user gave is too large for the device's memory, and would be in another precision, too."""


def find_input_error(error: BaseException | None) -> InputError | None:
    """Return the first ``InputError`` in the chain of ``error`` and its causes, or None."""
    for link in error_chain(error):
        if isinstance(link, InputError):
            return link
    return None


def innermost_cause(error: BaseException) -> BaseException:
    """Return the exception that the others were raised from."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def explain_input_errors() -> None:
    """Make a program that fails with an ``InputError`` end with its sentence instead of a traceback (exit status 1).

    One that Ctrl-C ends says where it was, see ``say_if_interrupted`` (exit status 130).

    MONAI wraps whatever a configuration raises in ``RuntimeError``s, so that the one sentence that helps stands in the
    middle of a long traceback. A bundle calls this first in ``initialize``. Other exceptions keep their traceback, and
    code that catches exceptions sees no difference. Of several processes, which find the same as long as they don't
    know each other, only the first says it then.
    """
    previous = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        close_bars()
        if isinstance(error, KeyboardInterrupt):
            if is_first_process():
                print(f"\n{interruption_sentence()}", file=sys.stderr)
            raise SystemExit(INTERRUPTED_STATUS)
        cause = find_input_error(error)
        if cause is None:
            previous(kind, error, trace)
        elif is_first_process() or (dist.is_available() and dist.is_initialized()):
            print(f"error: {cause}", file=sys.stderr)

    sys.excepthook = hook


def error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what it was raised from, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
