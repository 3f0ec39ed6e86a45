# SPDX-License-Identifier: Apache-2.0
"""The setting ``amp``, which a configuration may leave out."""

from __future__ import annotations

from pipeline.settings import running_parser

__all__ = ["amp"]


def amp() -> bool:
    """Return the running bundle's setting ``amp``: whether it trains in bfloat16. False where it is left out.

    Raises:
        InputError: if it is not called in an expression of a bundle.

    Example:
        ``"inferer": {"_target_": "pipeline.inference.AutocastInferer", "amp": "$bundle.amp()"}``
    """
    parser = running_parser("amp")
    return "amp" in parser and bool(parser.get_parsed_content("amp"))
