# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from .options import Options

__all__ = ["training_bundle"]


def training_bundle(options: Options, overlays: Sequence[str] = (), **overrides: Any) -> ConfigParser:
    """The bundle's training configuration at the benchmark's size, so that what is measured is what is trained.

    Args:
        options: the size.
        overlays: names of the bundle's files to lay over it.
        overrides: values of single keys.
    """
    configs = Path(__file__).parents[1] / "bundles" / "nlcen_jsrt" / "configs"
    parser = ConfigParser()
    parser.read_config([configs / f"{name}.json" for name in ("train", *overlays)])
    parser.update(
        {
            "device": f"$torch.device('{options.device}')",
            "image_size": [options.size, options.size],
            "batch_size": options.batch,
            "progress": False,
            **overrides,
        }
    )
    return parser
