# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import onnxruntime
import torch
from torch.export.passes import move_to_device_pass

from pipeline.inference.export_network import export_network

from .figure import Figure, interleave, median_seconds, ratio
from .options import Options
from .pictures import random_batch, random_network

__all__ = ["run"]

Program = Callable[[torch.Tensor], torch.Tensor]
PYTORCH, EXPORT, ONNX = "PyTorch", "torch.export", "ONNX Runtime"


def run(options: Options) -> list[Figure]:
    """Inference by PyTorch, torch.export and ONNX Runtime: seconds per picture in batches of 1 and more, cold start."""
    network = random_network(options)
    with tempfile.TemporaryDirectory() as folder:
        pt2, onnx, weights = export_network(network, 1, folder, {})
        exported = move_to_device_pass(torch.export.load(pt2), options.device).module()
        programs: dict[str, Program] = {PYTORCH: network, EXPORT: exported}
        files = {PYTORCH: weights, EXPORT: pt2}
        figures = []
        if options.device == "cpu":
            programs[ONNX] = _onnx_runtime(onnx)
            files[ONNX] = onnx
        else:
            figures.append(Figure(ONNX, None, note="skipped, the package that is required computes on the CPU only"))
        for batch in dict.fromkeys((1, options.batch)):
            figures += _batch(programs, replace(options, batch=batch))
        starts = {name: partial(_start, name, file, options) for name, file in files.items()}
        seconds = interleave(starts, options.repeats or 3, options.device)
    return [*figures, *(median_seconds(f"cold start: {name}", samples) for name, samples in seconds.items())]


def _batch(programs: Mapping[str, Program], options: Options) -> list[Figure]:
    image, _ = random_batch(options)
    variants = {name: partial(program, image) for name, program in programs.items()}
    with torch.inference_mode():
        logits = {name: variant() for name, variant in variants.items()}
        seconds = interleave(variants, options.repeats or 9, options.device)
    figures = []
    for name, samples in seconds.items():
        each = tuple(sample / options.batch for sample in samples)
        figures.append(Figure(f"batch {options.batch}: {name}, per picture", statistics.median(each), "s", each))
    for name in list(programs)[1:]:
        difference = (logits[name] - logits[PYTORCH]).abs().max() / logits[PYTORCH].abs().max().clamp(min=1)
        # on CUDA convolutions may take the shorter TF32, each program others
        bound = 1e-4 if options.device == "cpu" else None
        figures += [
            ratio(f"batch {options.batch}: {name} / PyTorch", seconds[name], seconds[PYTORCH]),
            Figure(f"batch {options.batch}: {name}, difference of logits", difference.item(), at_most=bound),
        ]
    return figures


def _onnx_runtime(file: Path) -> Program:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    # its threads would wait busily on into the turn of the next
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(["pred"], {"image": image.numpy()})[0])


def _start(program: str, file: Path, options: Options) -> None:
    """From the start of a fresh interpreter to the first mask."""
    command = [sys.executable, "-m", "benchmarks.cold_start", program, str(file), str(options.size), options.device]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"The cold start of {program} failed:\n{done.stderr}")
