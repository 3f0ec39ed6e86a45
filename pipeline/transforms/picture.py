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

import numpy as np
import numpy.typing as npt

__all__ = ["Picture"]


@dataclass
class Picture:
    """A picture the right way up.

    Attributes:
        pixels: float32 (C, rows, columns) in [0, 1], C being 1 or 3.
        spacing: mm between rows and between columns, 1 where the file does not say.
        original_shape: array shape for writing a NIfTI file beside this one.
        original_affine: affine (4, 4) that goes with that shape.
        notes: sentences for the user on what the file says wrongly, or not at all, and how it was read instead;
            nothing of the patient and no file name.
        exif_orientation: the EXIF orientation, 2 to 8, after which the pixels were turned or mirrored; 1 if they were
            not.
    """

    pixels: npt.NDArray[np.float32]
    spacing: tuple[float, float]
    original_shape: tuple[int, ...]
    original_affine: npt.NDArray[np.float64]
    notes: str = ""
    exif_orientation: int = 1
