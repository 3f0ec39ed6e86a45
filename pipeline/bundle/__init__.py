# SPDX-License-Identifier: Apache-2.0
"""What ``train.json`` of the bundles calls, and MONAI has no component for."""

from __future__ import annotations

from pipeline.settings import bundle_root, run_title

from .amp import amp
from .prepare_training import prepare_training
from .tracker import open_tracker
from .training import finish_training, start_training

__all__ = ["amp", "bundle_root", "finish_training", "open_tracker", "prepare_training", "run_title", "start_training"]
