# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path

import torch

from pipeline.utils import InputError

from .read_weights import check_finite

__all__ = ["load_torchscript"]


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
