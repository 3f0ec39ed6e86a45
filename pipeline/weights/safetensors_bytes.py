# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import nn

__all__ = ["safetensors_bytes"]


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
