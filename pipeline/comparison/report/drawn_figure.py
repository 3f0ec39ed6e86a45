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

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DrawnFigure", "not_measured"]


@dataclass(frozen=True)
class DrawnFigure:
    """A figure of the report.

    Args:
        section: the part of the page that it belongs to: ``"pictures"``, ``"networks"``, ``"nlce"``, ``"ablation"`` or
            ``"claim"``.
        caption: what it shows, and what is missing in it.
        files: the same figure as PNG and PDF.
    """

    section: str
    caption: str
    files: list[Path]


def not_measured(titles: Iterable[str]) -> str:
    """Return the end of a caption that names what a figure lacks; empty if it lacks nothing."""
    names = ", ".join(titles)
    return f" Not measured: {names}." if names else ""
