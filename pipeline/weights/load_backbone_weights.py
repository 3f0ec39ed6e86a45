# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os

from torch import nn

from .load_weights import load_weights
from .read_weights import read_weights

__all__ = ["load_backbone_weights"]


def load_backbone_weights(backbone: nn.Module, path: str | os.PathLike[str], in_channels: int) -> None:
    """Load a ResNet's state dict, of a network that classified color pictures, into a backbone.

    The classifier's weights (``fc.*``) are left out. For 1-channel images the first convolution, ``conv1``, is summed
    over RGB: a grey picture gives what its three equal channels would give.

    Args:
        backbone: its names are the file's.
        path: the file.
        in_channels: channels of the image.

    Raises:
        InputError: if the file is missing, is no state dict or is one of another network.
    """
    state = {key: value for key, value in read_weights(path).items() if not key.startswith("fc.")}
    if in_channels == 1 and "conv1.weight" in state and state["conv1.weight"].shape[1] == 3:
        state["conv1.weight"] = state["conv1.weight"].sum(1, keepdim=True)
    load_weights(backbone, state, path)
