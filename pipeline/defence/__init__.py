# SPDX-License-Identifier: Apache-2.0
"""Adversarial training."""

from __future__ import annotations

from .adversarial_batch import AdversarialBatch

__all__ = ["AdversarialBatch"]
