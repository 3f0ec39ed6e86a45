# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from pipeline.attacks import fast_precision

from .figure import Figure, interleave, median_seconds, ratio
from .options import Options
from .pictures import training_bundle
from .training_step import one_step

__all__ = ["run"]


def run(options: Options) -> list[Figure]:
    """One training step of NLCEN in float32 and, by ``--amp True``, in bfloat16."""
    fast = fast_precision(torch.device(options.device))
    if options.device == "cuda" and fast is None:
        return [Figure("in bfloat16", None, note="this GPU has no bfloat16")]
    steps = {
        name: one_step(training_bundle(options, amp=name == "bfloat16"), options) for name in ("float32", "bfloat16")
    }
    seconds = interleave(steps, options.repeats or 5, options.device)
    # AVX512-BF16 multiplies less at once than AMX does
    tiles = options.device == "cuda" or torch.cpu._is_amx_tile_supported()
    bound = options.bound(1.8) if fast is not None and tiles else None
    return [
        median_seconds("in float32", seconds["float32"]),
        median_seconds("in bfloat16", seconds["bfloat16"]),
        ratio("float32 / bfloat16", seconds["float32"], seconds["bfloat16"], at_least=bound),
    ]
