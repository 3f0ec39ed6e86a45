# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from pipeline.utils import InputError, find_input_error

RAISE = """
from pipeline.utils import InputError, explain_input_errors
explain_input_errors()
try:
    raise {error}
except Exception as cause:
    raise RuntimeError("applying transform") {link}
"""


@pytest.mark.parametrize("link", ["from cause", ""])
def test_program_ends_in_the_sentence(link, interpreter):
    """Whether the wrapping error names its cause or only rose while the cause was handled."""
    program = interpreter.start(RAISE.format(error="InputError('The file a.png does not exist.')", link=link))
    assert program.finish() == "error: The file a.png does not exist.\n"
    assert program.status == 1


@pytest.mark.parametrize("link", ["from cause", "from None"])
def test_other_errors_keep_their_traceback(link, interpreter):
    program = interpreter.start(RAISE.format(error="ValueError('a slip')", link=link))
    assert program.finish().startswith("Traceback") and "RuntimeError: applying transform" in program.output
    assert program.status == 1


def test_find_input_error():
    cause = InputError("bad")
    middle, outer = KeyError("x"), RuntimeError("y")
    middle.__cause__ = cause
    outer.__context__ = middle
    assert find_input_error(outer) is cause
    assert find_input_error(cause) is cause
    assert find_input_error(KeyError("z")) is None
    assert find_input_error(None) is None


def test_a_circle_of_causes_ends():
    one, other = KeyError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    assert find_input_error(one) is None


INTERRUPT = """
import atexit, os, signal
from pipeline.utils import Progress, explain_input_errors, say_if_interrupted
explain_input_errors()
atexit.register(print, "files are closed")
{before}
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_program_that_is_interrupted_says_where_it_was(interpreter):
    before = "say_if_interrupted('Interrupted after epoch 1.'); say_if_interrupted('Interrupted after epoch 2.')"
    program = interpreter.start(INTERRUPT.format(before=before))
    assert program.finish() == "\nInterrupted after epoch 2.\nfiles are closed\n"
    assert program.status == 130


def test_of_processes_that_do_not_know_each_other_the_first_says_it(interpreter):
    before = "os.environ['RANK'] = '1'"
    assert interpreter.start(INTERRUPT.format(before=before)).finish() == "files are closed\n"


def test_an_open_bar_does_not_follow_the_last_words(interpreter):
    """Python would draw it once more when it cleans up."""
    before = "import sys; sys.stderr.isatty = lambda: True; progress = Progress('attack', 3, 'gradient')"
    output = interpreter.start(INTERRUPT.format(before=before)).finish()
    assert "attack:   0%" in output
    assert output.endswith("\nInterrupted before the work began. Type the same command again.\nfiles are closed\n")
