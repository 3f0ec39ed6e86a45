# SPDX-License-Identifier: Apache-2.0
"""Training in bfloat16, on GPUs and processors alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import SimpleInferer

from pipeline.utils import InputError

__all__ = ["AutocastInferer"]


class AutocastInferer(SimpleInferer):
    """Runs the network in bfloat16 where ``torch.autocast`` does so; weights, output and loss stay in float32.

    The ``amp`` of MONAI's trainers is ``torch.autocast("cuda")``, which leaves a processor in float32 without a word.
    bfloat16 has the range of float32, so that no gradient has to be scaled.

    Args:
        amp: false for the network's own precision.

    Raises:
        InputError: in a call, if the GPU has no bfloat16.

    Example:
        >>> AutocastInferer(amp=True)(image, network).dtype
        torch.float32
    """

    def __init__(self, amp: bool = True) -> None:
        super().__init__()
        self.amp = amp

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """
        Args:
            inputs: images (B, C, *spatial).
            network: from images to logits, or to a list or tuple of them.
            args: passed on to the network.
            kwargs: passed on to the network.
        """
        if not self.amp:
            return super().__call__(inputs, network, *args, **kwargs)
        if inputs.is_cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise InputError("--amp: this GPU has no bfloat16; leave the setting out.")
        with torch.autocast(inputs.device.type, torch.bfloat16):
            output = super().__call__(inputs, network, *args, **kwargs)
        return _in_float32(output)


def _in_float32(output: Any) -> Any:
    if type(output) in (list, tuple):
        return type(output)(_in_float32(each) for each in output)
    return output.float() if isinstance(output, torch.Tensor) else output
