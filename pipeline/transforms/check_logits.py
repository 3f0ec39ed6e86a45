# SPDX-License-Identifier: Apache-2.0
"""A check of logits before they become masks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from pipeline.utils import check_logits

__all__ = ["CheckLogitsd"]


class CheckLogitsd(MapTransform):
    """Check that a network's output is two channels of finite logits; put it before ``AsDiscreted``.

    The argmax of one channel, and of NaN, is the background: without the check such a network gives empty masks.

    Args:
        keys: keys of the output, (2, *spatial).
        reference: key of what has the size that the output must have: (C, *spatial), the image or its mask.
        allow_missing_keys: do not raise if a key is missing.

    Raises:
        InputError: if the output is something else.
    """

    def __init__(self, keys: KeysCollection, reference: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.reference = reference

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            output = data[key]
            batch = output.unsqueeze(0) if isinstance(output, torch.Tensor) else output
            check_logits(batch, 1, data[self.reference].shape[1:], f"'{str(key)}'")
        return dict(data)
