# SPDX-License-Identifier: Apache-2.0
"""Fills templates of pages in Markdown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["fill_page"]


def fill_page(template: Path, **values: Any) -> str:
    """Return the page that a Jinja template makes of values; no two empty lines follow each other.

    Raises:
        jinja2.UndefinedError: if the template asks for a value that is not given.

    Example:
        >>> page = fill_page(Path("page.md.jinja"), title="Results")
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # it is Markdown  # noqa: S701
    )
    page = environment.get_template(template.name).render(**values)
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"
