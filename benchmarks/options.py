# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

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
