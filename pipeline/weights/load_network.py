# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from torch import nn

from pipeline.utils import InputError

from .load_weights import load_weights
from .read_weights import read_weights

__all__ = ["bare_network", "load_network"]


def load_network(
    network: nn.Module,
    path: str | os.PathLike[str] | None,
    new: str | Collection[str] = (),
    setting: str = "ckpt_path",
) -> nn.Module:
    """Load the weights of ``path``, a state dict or a checkpoint of ``TrainingCheckpoint``, and return the network.

    A name that ends in ``.safetensors`` is read as safetensors, any other as PyTorch's format.

    Args:
        network: the network, changed in place.
        path: the file; None, which a setting may be, is refused.
        new: path components of the names (``["nlce"]``) that the file may lack; the network keeps its weights there.
        setting: the setting that names the file, for the message if it is missing.

    Raises:
        InputError: if the file is missing, is no file of weights, is one of another network, or is not finite; the
            message names the first difference. Nothing has been loaded then.
    """
    if path is None or not Path(path).is_file():
        raise InputError(f"{setting}: there is no file {path}; train first, or name the weights with --{setting}.")
    content = read_weights(path)
    bare = bare_network(network)
    parts = {new} if isinstance(new, str) else set(new)
    kept = {name: value for name, value in bare.state_dict().items() if not parts.isdisjoint(name.split("."))}
    load_weights(bare, kept | content.get("network", content), path)
    return network


def bare_network(network: nn.Module) -> nn.Module:
    """Return a network without the wrapper of ``DistributedDataParallel``."""
    return network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
