# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os

__all__ = ["is_first_process"]


def is_first_process() -> bool:
    """Return whether this is the first of the processes that torchrun started, or the only one.

    This is known before the processes have found each other, unlike Ignite's rank.
    """
    return int(os.environ.get("RANK", "0")) == 0
