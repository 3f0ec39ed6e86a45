# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

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
