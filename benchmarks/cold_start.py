# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import sys

import numpy as np

__all__ = ["first_mask"]

# Each of these imports what it needs itself: that is part of its start.


def first_mask(program: str, file: str, size: int, device: str) -> np.ndarray:
    """Load an exported NLCEN from its file and segment one random picture.

    Args:
        program: ``"PyTorch"`` (``model.safetensors``), ``"torch.export"`` (``model.pt2``) or ``"ONNX Runtime"``
            (``model.onnx``).
        file: the file.
        size: rows and columns of the picture.
        device: ``"cpu"`` or ``"cuda"``; ONNX Runtime computes on the CPU.

    Returns:
        The mask, (size, size) of {0, 1}.
    """
    image = np.random.default_rng(0).random((1, 1, size, size), dtype=np.float32)
    start = {"PyTorch": _pytorch, "torch.export": _torch_export, "ONNX Runtime": _onnx_runtime}[program]
    return start(file, image, device)[0].argmax(0)


def _pytorch(file: str, image: np.ndarray, device: str) -> np.ndarray:
    import torch

    from pipeline.networks import NLCEN
    from pipeline.weights import load_weights, read_weights

    network = NLCEN(in_channels=1)
    load_weights(network, read_weights(file), file)
    network.to(device).eval()
    with torch.inference_mode():
        return network(torch.from_numpy(image).to(device)).cpu().numpy()


def _torch_export(file: str, image: np.ndarray, device: str) -> np.ndarray:
    import torch
    from torch.export.passes import move_to_device_pass

    network = move_to_device_pass(torch.export.load(file), device).module()
    with torch.inference_mode():
        return network(torch.from_numpy(image).to(device)).cpu().numpy()


def _onnx_runtime(file: str, image: np.ndarray, device: str) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["pred"], {"image": image})[0]


if __name__ == "__main__":
    first_mask(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    # without the time that the interpreter takes to end
    os._exit(0)
