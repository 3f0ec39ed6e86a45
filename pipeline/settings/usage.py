# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from .bundle_settings import SETTINGS, optional_settings

__all__ = ["find_run_ids", "usage"]


_NOT_RUN = ("imports", "initialize", "finalize")


def find_run_ids(config: Mapping[str, Any]) -> list[str]:
    """Return what ``python -m monai.bundle run <run id>`` may run: the top-level lists of expressions and references.

    Args:
        config: the merged configuration, macros (``%key``) replaced.
    """
    return [key for key, value in config.items() if key not in _NOT_RUN and _is_run(value)]


def _is_run(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        return False
    return any(entry.startswith("$") for entry in value) and all(entry.startswith(("$", "@")) for entry in value)


_WIDTH = 24


def usage(config: Mapping[str, Any], run_ids: Collection[str]) -> str:
    """Return the help of a bundle: its run ids, and its settings with defaults, what each does and takes.

    Args:
        config: the merged configuration.
        run_ids: from ``find_run_ids``.
    """
    lines = [
        "python -m monai.bundle run <run id> --config_file <files> --<setting> <value> ...",
        f"run ids: {', '.join(run_ids)}",
        "settings, with their values (one that begins with $ is computed):",
    ]
    config = {**optional_settings(config), **config}
    for key, setting in SETTINGS.items():
        if key in config:
            value = config[key] if isinstance(config[key], str) else json.dumps(config[key])
            short = value if len(value) <= _WIDTH else value[: _WIDTH - 3] + "..."
            lines.append(f"  --{key:<22} {short:<{_WIDTH}} {setting.kind.needed}: {setting.about}")
    lines.append("Any other key of the files can be set too, nested ones with #: --train#dataloader#num_workers 2")
    return "\n".join(lines)
