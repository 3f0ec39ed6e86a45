# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

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
