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

import hashlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from .errors import InputError

__all__ = [
    "check_finite",
    "fingerprint_file",
    "fingerprint_network",
    "first_non_finite",
    "load_weights",
    "read_weights",
    "safetensors_bytes",
]

# what torch.load and load_file raise for a file that is damaged or something else altogether
UNREADABLE = (UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, struct.error, SafetensorError)


def read_weights(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of weights onto the CPU, without running any code that it may hold.

    A name that ends in ``.safetensors`` is read as safetensors, any other as PyTorch's format.

    Returns:
        The dictionary in the file: a state dict, or one of several.

    Raises:
        InputError: if the file is missing, cannot be read, holds something else, or numbers that are not finite.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}; name a file of weights.")
    safe = Path(path).suffix == ".safetensors"
    try:
        content = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        kind = "safetensors" if safe else "PyTorch"
        raise InputError(f"{path} is no {kind} file of weights, or is damaged; remove it or name another.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no state dict; name a file of weights.")
    check_finite(content, path)
    return content


def load_weights(network: nn.Module, state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Load the state dict ``state``, which comes from ``path``, into ``network``.

    Raises:
        InputError: if it is one of another network (the message names the first difference), or a number in it is not
            finite, or would not be in the network's type.
    """
    own = network.state_dict()
    # files of before PyTorch 0.4.1 lack the counters, which load_state_dict then leaves as they are
    other = [
        name
        for name in sorted(own.keys() | state.keys())
        if not name.endswith("num_batches_tracked")
        and (name not in own or name not in state or own[name].shape != state[name].shape)
    ]
    if other:
        raise InputError(
            f"{path} holds the weights of another network: {len(other)} of its names or shapes differ from "
            f"{type(network).__name__}'s, the first is '{other[0]}'; name the weights of this network."
        )
    check_finite({name: state[name].to(tensor.dtype) for name, tensor in own.items() if name in state}, path)
    network.load_state_dict(state)


def first_non_finite(content: Mapping[Any, Any]) -> str | None:
    """Return the name of the first tensor that holds NaN or an infinity, None where all are finite.

    Args:
        content: a state dict, or a dictionary of several; the names of nested ones are joined by dots. What is no
            tensor does not count: a scheduler's best loss is infinite before the first epoch.
    """
    for name, value in content.items():
        if isinstance(value, Mapping):
            inner = first_non_finite(value)
            if inner is not None:
                return f"{name}.{inner}"
        elif isinstance(value, torch.Tensor) and not torch.isfinite(value).all():
            return str(name)
    return None


def check_finite(content: Mapping[Any, Any], path: str | os.PathLike[str]) -> None:
    """Refuse weights that come from ``path`` if any is NaN or infinite: such a network predicts nothing at all.

    Raises:
        InputError: if there is such a number; the message names the first tensor.
    """
    name = first_non_finite(content)
    if name is not None:
        raise InputError(
            f"{path} holds numbers that are not finite, first in '{name}', as a training that diverged leaves them; "
            "remove it or name another."
        )


def safetensors_bytes(network: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """Return a network's state dict as the content of a ``.safetensors`` file, with ``metadata`` in it.

    Every name has values of its own, those of tensors that share their memory too, so that the file loads like any
    other state dict.
    """
    # safetensors refuses shared memory, and layouts such as channels-last
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    return save(tensors, dict(metadata))


def fingerprint_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint_network(network: nn.Module) -> str:
    """Return the SHA-256 of all parameters and buffers, with their names."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        # as bytes: NumPy has no bfloat16
        digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
