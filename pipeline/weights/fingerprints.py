# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import os

import torch
from torch import nn

__all__ = ["fingerprint_file", "fingerprint_network"]


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
