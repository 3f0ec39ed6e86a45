# SPDX-License-Identifier: Apache-2.0
"""What every run of a bundle begins with."""

from __future__ import annotations

import warnings

import torch

from pipeline.utils import explain_input_errors

from .check_settings import check_settings

__all__ = ["prepare_bundle"]


def prepare_bundle() -> None:
    """Let the program end in a sentence where the user erred, and check all settings. Call it in ``initialize``.

    Raises:
        InputError: as ``check_settings`` does.

    Example:
        ``"initialize": ["$settings.prepare_bundle()"]``
    """
    explain_input_errors()
    check_settings()
    torch.set_flush_denormal(True)
    warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
