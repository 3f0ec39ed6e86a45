# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from torch import nn

from pipeline.utils import InputError

from .read_weights import check_finite

__all__ = ["load_weights"]


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
