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

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.utils import InputError

from .load_weights import load_weights
from .read_weights import read_weights

__all__ = ["load_initial_weights"]


def load_initial_weights(
    network: nn.Module,
    path: str | os.PathLike[str] | None,
    new: str | Sequence[str] = (),
    setting: str = "initial_weights",
) -> nn.Module:
    """Start a network from the weights of one that lacks some of its parts, which keep the weights they have.

    Args:
        network: the network, changed in place.
        path: a state dict, or a checkpoint of ``TrainingCheckpoint``; None, which a setting may be, is refused.
        new: path components of the names (``"nlce"``) that the file may lack.
        setting: the setting that names the file, for the message if it is missing.

    Returns:
        The network itself.

    Raises:
        InputError: if the file is missing or damaged, or its names or shapes differ elsewhere; the message names the
            first difference. Nothing has been loaded then.
    """
    if path is None or not Path(path).is_file():
        raise InputError(f"There is no file {path}; name the weights with --{setting}.")
    content = read_weights(path)
    state: dict[str, Any] = content.get("network", content)
    parts = {new} if isinstance(new, str) else set(new)
    start = {name: value for name, value in network.state_dict().items() if not parts.isdisjoint(name.split("."))}
    load_weights(network, start | state, path)
    return network
