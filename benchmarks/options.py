# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """What is measured, and where.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        batch: pictures in a batch.
        size: rows and columns of a picture.
        repeats: runs of each variant; None for each benchmark's own number.
        torchattacks: folder with the package torchattacks, if it is not installed.
        direct_128: whether the direct formula of the NLCE is tried on the larger feature map, too.
    """

    device: str = "cpu"
    batch: int = 8
    size: int = 256
    repeats: int | None = None
    torchattacks: Path | None = None
    direct_128: bool = False

    def bound(self, value: float) -> float | None:
        """``value``, what a figure must reach, under the conditions it is stated for, else None."""
        return value if (self.batch, self.size) == (8, 256) else None
