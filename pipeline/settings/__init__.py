# SPDX-License-Identifier: Apache-2.0
"""The settings of a running bundle: what they may be, and what is read from all of them."""

from __future__ import annotations

from .check_components import check_components
from .inferring_command import inferring_command
from .prepare_bundle import prepare_bundle
from .prepare_robustness import prepare_robustness
from .run_title import network_name, run_title, title_of
from .running_bundle import bundle_root, merged_config, running_parser

__all__ = [
    "bundle_root",
    "check_components",
    "inferring_command",
    "merged_config",
    "network_name",
    "prepare_bundle",
    "prepare_robustness",
    "run_title",
    "running_parser",
    "title_of",
]
