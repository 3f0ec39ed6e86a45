# SPDX-License-Identifier: Apache-2.0
"""What reports and MLflow call a network and a run."""

from __future__ import annotations

from torch import nn

from pipeline.networks import NLCE, NLCEN

from .running_bundle import running_parser

__all__ = ["network_name", "run_title", "title_of"]


def network_name(network: nn.Module) -> str:
    """Return the name of a network's class, and what of NLCE it has or lacks.

    Example:
        >>> network_name(NLCEN(in_channels=1, context=False))
        'NLCEN w/o CE'
    """
    name = type(network).__name__
    module = next((module for module in network.modules() if isinstance(module, NLCE)), None)
    if not isinstance(network, NLCEN):
        return name if module is None else f"{name} + NLCE"
    if module is None:
        return f"{name} w/o NLCE"
    return name if module.non_local and module.context else f"{name} w/o {'CE' if module.non_local else 'NL'}"


def title_of(network: str, variant: str) -> str:
    """Return the name of a network, and in parentheses that of a variant, if there is one.

    Example:
        >>> title_of("NLCEN", "pgd")
        'NLCEN (pgd)'
    """
    return f"{network} ({variant})" if variant else network


def run_title() -> str:
    """Return the title of the running bundle: its ``network_def`` and its ``variant``.

    Raises:
        InputError: if it is not called in an expression of a bundle.

    Example:
        ``"run_name": "$bundle.run_title() + ' on phantoms'"``
    """
    parser = running_parser("run_title")
    variant = parser.get_parsed_content("variant") if "variant" in parser else ""
    return title_of(network_name(parser.get_parsed_content("network_def")), variant)
