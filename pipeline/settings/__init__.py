# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from .check_components import check_components
from .check_settings import check_settings
from .inferring_command import inferring_command
from .prepare_robustness import prepare_robustness
from .running_bundle import merged_config

__all__ = ["check_components", "check_settings", "inferring_command", "merged_config", "prepare_robustness"]
