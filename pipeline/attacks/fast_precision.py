# SPDX-License-Identifier: Apache-2.0
"""The number type in which a device computes gradients fastest, with enough digits for a search."""

from __future__ import annotations

import torch

__all__ = ["fast_precision"]


def fast_precision(device: torch.device) -> torch.dtype | None:
    """Return ``torch.bfloat16`` where matrices are much faster in it: CUDA from Ampere on, processors that have it.

    These are processors with AMX or AVX512-BF16. None elsewhere: other processors are slower in it.
    """
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        fast = device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    return torch.bfloat16 if fast else None
