# SPDX-License-Identifier: Apache-2.0
"""Fingerprints of files and networks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import nn

__all__ = ["fingerprint_file", "fingerprint_network", "safetensors_bytes"]


def fingerprint_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def fingerprint_network(network: nn.Module) -> str:
    """Return the SHA-256 of all parameters and buffers, with their names."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        # as bytes: NumPy has no bfloat16
        digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
