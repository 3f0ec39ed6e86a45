# SPDX-License-Identifier: Apache-2.0
"""Loading weights into networks."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.utils import InputError

from .read_weights import check_finite, read_weights

__all__ = ["bare_network", "load_backbone_weights", "load_network", "load_torchscript", "load_weights"]


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


def load_network(
    network: nn.Module,
    path: str | os.PathLike[str] | None,
    new: str | Collection[str] = (),
    setting: str = "ckpt_path",
) -> nn.Module:
    """Load the weights of ``path``, a state dict, or a checkpoint of ``TrainingCheckpoint`` or MONAI, into a network.

    A name that ends in ``.safetensors`` is read as safetensors, any other as PyTorch's format.

    Args:
        network: the network, changed in place.
        path: the file; None, which a setting may be, is refused.
        new: path components of the names (``["nlce"]``) that the file may lack; the network keeps its weights there.
        setting: the setting that names the file, for the message if it is missing.

    Raises:
        InputError: if the file is missing, does not hold weights, belongs to another network, or is not finite; the
            message names the first difference. Nothing has been loaded then.
    """
    if path is None or not Path(path).is_file():
        raise InputError(f"{setting}: there is no file {path}; train first, or name the weights with --{setting}.")
    content = read_weights(path)
    bare = bare_network(network)
    parts = {new} if isinstance(new, str) else set(new)
    kept = {name: value for name, value in bare.state_dict().items() if not parts.isdisjoint(name.split("."))}
    load_weights(bare, kept | content.get("network", content.get("model", content)), path)
    return network


def bare_network(network: nn.Module) -> nn.Module:
    """Return a network without the wrapper of ``DistributedDataParallel``."""
    return network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network


def load_backbone_weights(backbone: nn.Module, path: str | os.PathLike[str], in_channels: int) -> None:
    """Load a ResNet's state dict, of a network that classified color pictures, into a backbone.

    The classifier's weights (``fc.*``) are left out. For 1-channel images the first convolution, ``conv1``, is summed
    over RGB: a grey picture gives what its three equal channels would give.

    Args:
        backbone: its names are the file's.
        path: the file.
        in_channels: channels of the image.

    Raises:
        InputError: if the file is missing, is not a state dict or belongs to another network.
    """
    state = {key: value for key, value in read_weights(path).items() if not key.startswith("fc.")}
    if in_channels == 1 and "conv1.weight" in state and state["conv1.weight"].shape[1] == 3:
        state["conv1.weight"] = state["conv1.weight"].sum(1, keepdim=True)
    load_weights(backbone, state, path)


def load_torchscript(path: str | os.PathLike[str]) -> torch.jit.ScriptModule:
    """Load a network that ``monai.bundle trt_export`` or ``ckpt_export`` has written, weights included.

    TensorRT's need ``torch_tensorrt`` imported before, and a GPU like the one that they were made on.

    Raises:
        InputError: if the file is missing, cannot be loaded, or holds weights that are not finite.
    """
    if not Path(path).is_file():
        raise InputError(f"ckpt_path: there is no file {path}; make it with trt_export, or name it with --ckpt_path.")
    try:
        network = torch.jit.load(path)
    except RuntimeError as error:
        # its first sentence: what follows guesses at causes, or quotes code
        reason = str(error).strip().splitlines()[0].split(". ")[0].rstrip(".:")
        raise InputError(
            f"{path} cannot be loaded as TorchScript ({reason}); install torch_tensorrt, make the file anew with "
            "trt_export on this machine, or name another with --ckpt_path."
        ) from error
    check_finite(network.state_dict(), path)
    return network
