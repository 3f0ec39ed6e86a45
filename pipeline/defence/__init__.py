# SPDX-License-Identifier: Apache-2.0
"""Adversarial training."""

from __future__ import annotations

from .adversarial_batch import AdversarialBatch
from .drawn_attacks import loss_attacks

__all__ = ["AdversarialBatch", "loss_attacks"]
