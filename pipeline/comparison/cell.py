# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Cell"]


@dataclass(frozen=True)
class Cell:
    """One bundle run of a comparison.

    Attributes:
        name: its unique name, also that of its folder: letters, digits, ``_`` and ``-``.
        labels: what it is in the table of results: ``data``, ``network``, ``nlce``, ``stage`` (of the ablation; else
            empty), ``variant`` (a training of the claim; else empty), ``reading`` (a reading of the attack; empty for
            the paper's) and ``seed``.
        run_id: what the bundle runs, ``"training"`` or ``"evaluating"``.
        config_files: the bundle's configuration and what is laid over it, from the repository's root.
        settings: overrides of the configuration.
        needs: names of cells whose weights it takes, by the setting that gets their file.
    """

    name: str
    labels: Mapping[str, Any]
    run_id: str
    config_files: tuple[str, ...]
    settings: Mapping[str, Any]
    needs: Mapping[str, str] = field(default_factory=dict)
