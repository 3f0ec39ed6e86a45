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
from pathlib import Path

from torch import nn

from pipeline.utils import InputError

from .load_weights import load_weights
from .read_weights import read_weights

__all__ = ["bare_network", "load_network"]


def load_network(network: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Load the weights of ``path``, a state dict or a checkpoint of ``TrainingCheckpoint``, and return the network.

    A name that ends in ``.safetensors`` is read as safetensors, any other as PyTorch's format.

    Raises:
        InputError: if the file is missing, is no file of weights, is one of another network, or is not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"ckpt_path: there is no file {path}; train first, or name the weights with --ckpt_path.")
    content = read_weights(path)
    load_weights(bare_network(network), content.get("network", content), path)
    return network


def bare_network(network: nn.Module) -> nn.Module:
    """Return a network without the wrapper of ``DistributedDataParallel``."""
    return network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
