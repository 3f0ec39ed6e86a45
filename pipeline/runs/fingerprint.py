# SPDX-License-Identifier: Apache-2.0
"""A fingerprint of what determines a run's result."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["IGNORED_KEYS", "fingerprint_config"]

# Where a run is kept and shown, where it finds what it takes (whose content counts), and how fast it goes, but not what
# comes out of it
IGNORED_KEYS = frozenset(
    {
        "_desc_",
        "_meta_",
        "bundle_root",
        "ckpt_dir",
        "ckpt_path",
        "dataset_dir",
        "experiment_name",
        "initial_weights",
        "num_workers",
        "output_dir",
        "persistent_workers",
        "pin_memory",
        "prefetch_factor",
        "progress",
        "register",
        "run_name",
        "show_progress",
        "surrogate_weights",
        "tracking_uri",
    }
)


def fingerprint_config(config: Mapping[str, Any], ignore: Collection[str] = IGNORED_KEYS) -> str:
    """Return 16 hexadecimal digits that are equal for configurations that lead to the same result.

    Args:
        config: a configuration; the order of its keys does not matter.
        ignore: keys that are left out wherever they stand in ``config``.
    """
    text = json.dumps(_without(config, ignore), sort_keys=True, default=_describe)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without(value: Any, ignore: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without(item, ignore) for key, item in value.items() if key not in ignore}
    if isinstance(value, (list, tuple)):
        return [_without(item, ignore) for item in value]
    return value


def _describe(value: Any) -> str:
    """Objects that overrides from Python may hold: their text without the memory address, which differs every time."""
    return os.fspath(value) if isinstance(value, os.PathLike) else re.sub(r" at 0x[0-9a-f]+", "", repr(value))
