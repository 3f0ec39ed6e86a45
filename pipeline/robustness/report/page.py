# SPDX-License-Identifier: Apache-2.0
"""A report as one page that opens offline: this file formats numbers, ``page.html.jinja`` holds the words."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.robustness.scores import NOISE

from .words import given, noun, score, wanted

__all__ = ["make_page"]


def make_page(report: Mapping[str, Any], figures: Mapping[str, bytes]) -> str:
    """Return ``report.html``.

    Args:
        report: the content of ``report.json``.
        figures: the PNG files that ``draw_figures`` and the gallery have written, by their names in the report's
            folder, such as "gallery/01.png".
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters |= {"score": score, "given": given, "level": lambda number: f"{number:g}", "wanted": wanted}
    pictures = {
        name: f"data:image/png;base64,{base64.b64encode(content).decode()}" for name, content in figures.items()
    }
    return environment.get_template("page.html.jinja").render(
        # a fact that is absent is not given
        report=report,
        facts=defaultdict(lambda: None, report["facts"]),
        pictures=pictures,
        noun=noun,
        noise=NOISE,
    )
