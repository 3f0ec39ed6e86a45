# SPDX-License-Identifier: Apache-2.0
"""Weights: reading, checking, loading, fingerprints."""

from __future__ import annotations

from .fingerprints import fingerprint_file, fingerprint_network, safetensors_bytes
from .load_weights import bare_network, load_backbone_weights, load_network, load_torchscript, load_weights
from .read_weights import check_finite, first_non_finite, read_weights

__all__ = [
    "bare_network",
    "check_finite",
    "fingerprint_file",
    "fingerprint_network",
    "first_non_finite",
    "load_backbone_weights",
    "load_network",
    "load_torchscript",
    "load_weights",
    "read_weights",
    "safetensors_bytes",
]
