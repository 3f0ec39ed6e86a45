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

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from pipeline.utils import InputError

__all__ = ["select_names"]


def select_names(names: Sequence[str], patterns: Iterable[str] | None) -> list[str]:
    """Return the names that match one of the patterns (``*``, ``?``, ``[...]``), in their order; all without patterns.

    Raises:
        InputError: if a pattern matches nothing; the message lists near names.
    """
    if patterns is None:
        return list(names)
    chosen: set[str] = set()
    for pattern in patterns:
        matches = {name for name in names if fnmatchcase(name, pattern)}
        if not matches:
            near = difflib.get_close_matches(pattern.strip("*"), names, n=3, cutoff=0.4)
            hint = f"near it are: {', '.join(near)}." if near else "list all with --dry-run."
            raise InputError(f"--only {pattern}: matches no cell; {hint}")
        chosen |= matches
    return [name for name in names if name in chosen]
