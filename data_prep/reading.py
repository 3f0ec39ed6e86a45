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

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline.utils import InputError

__all__ = ["read_or_note"]

T = TypeVar("T")


def read_or_note(read: Callable[[], T], path: Path, errors: list[str]) -> T | None:
    """Return what ``read`` returns, or add one sentence to ``errors`` and return None, so that the others go on.

    Args:
        read: reads and checks, and writes nothing: a full disk must end the command.
        path: the file, for the sentence on what nobody has foreseen.
        errors: a line for each wrong file.
    """
    try:
        return read()
    except InputError as error:
        sentence = str(error)
    except Exception as error:  # damaged files make libraries raise nearly anything
        sentence = f"The file {path} cannot be read ({type(error).__name__}: {error}); copy it again, or take it out."
    errors.append(sentence)
    return None
