# SPDX-License-Identifier: Apache-2.0
"""Networks as torch.export, ONNX and safetensors files."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import SimpleInferer
from torch import nn

from pipeline.utils import InputError, atomic_path, check_extra, check_logits, network_output
from pipeline.weights import safetensors_bytes

__all__ = ["export_network"]

TOLERANCE = 1e-4  # of the logits, or, of logits above 1, of the greatest: float32 holds no more
METADATA = "metadata.json"


def export_network(
    network: nn.Module, in_channels: int, output_dir: str | os.PathLike[str], metadata: Mapping[str, Any]
) -> list[Path]:
    """Write a network as ``model.pt2`` (``torch.export``) and ``model.onnx``, and its weights as ``model.safetensors``.

    The first two, for pictures and batches of any size, take ``image`` (B, C, rows, columns) in [0, 1] and give
    ``pred``, the logits (B, 2, rows, columns), in evaluation mode. Each is compared with the network on batches of
    other sizes before it takes its name. ``load_network`` reads the third.

    Args:
        network: the network with its weights; it stays as it is.
        in_channels: C.
        output_dir: folder to write to.
        metadata: the bundle's, which all files hold as ``metadata.json``.

    Returns:
        The three files.

    Raises:
        InputError: if a package of the extra ``export`` is missing, the network does not give finite logits, cannot be
            exported or does not take any size, or logits differ by more than 10⁻⁴ (of the greatest, where it is above
            1).
    """
    check_extra("export", ["onnx", "onnxruntime", "onnxscript"])
    import onnxruntime

    network = copy.deepcopy(network).cpu().eval()
    image = torch.rand(2, in_channels, 64, 96)
    free = torch.export.Dim.AUTO
    text = json.dumps(metadata)
    with torch.no_grad():
        logits = network_output(network, SimpleInferer(), image, "exporting")
        check_logits(logits, len(image), image.shape[2:], type(network).__name__)
        try:
            program = torch.export.export(network, (image,), dynamic_shapes=({0: free, 2: free, 3: free},))
            onnx = torch.onnx.export(program, (image,), dynamo=True, input_names=["image"], output_names=["pred"])
        # what torch raises for what it cannot trace has no common class
        except Exception as error:
            raise InputError(
                f"{type(network).__name__} cannot be exported ({' '.join(str(error).split())})."
            ) from error
        assert onnx is not None
        onnx.model.metadata_props[METADATA] = text
        files = [Path(output_dir, f"model.{ending}") for ending in ("pt2", "onnx", "safetensors")]
        with atomic_path(files[0]) as temporary:
            torch.export.save(program, temporary, extra_files={METADATA: text})
            loaded = torch.export.load(temporary).module()
            _compare(network, lambda batch: loaded(batch).numpy(), in_channels, files[0])
        with atomic_path(files[1]) as temporary:
            onnx.save(temporary)
            session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
            _compare(network, lambda batch: session.run(["pred"], {"image": batch.numpy()})[0], in_channels, files[1])
    with atomic_path(files[2]) as temporary:
        # not save_file, which puts a file of its own there that only its owner may read
        temporary.write_bytes(safetensors_bytes(network, {METADATA: text}))
    return files


def _compare(network: nn.Module, exported: Any, in_channels: int, file: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    for batch, rows, columns in ((1, 128, 128), (3, 80, 104)):
        image = torch.rand(batch, in_channels, rows, columns, generator=generator)
        try:
            logits = network(image).numpy()
            found = exported(image)
        # what torch and ONNX Runtime raise for a size that they cannot take has no common class
        except Exception as error:
            raise InputError(
                f"{file}: it must take pictures of any size, but pictures of {rows} × {columns} end in an error "
                f"({' '.join(str(error).split())}); it was not written."
            ) from error
        difference = float(np.abs(found - logits).max() / max(1.0, np.abs(logits).max()))
        # not a number is not below
        if not difference <= TOLERANCE:
            raise InputError(
                f"{file}: its logits differ from the network's by {difference:g}, more than {TOLERANCE:g}; it was not "
                "written."
            )
