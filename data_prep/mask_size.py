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

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.utils import InputError

__all__ = ["check_mask_size"]


def check_mask_size(
    image: npt.NDArray[np.float32], image_path: Path, mask: npt.NDArray[np.float32], mask_path: Path
) -> None:
    """Raise ``InputError`` if a mask (1, rows, columns) is of another size than its picture (C, rows, columns)."""
    if mask.shape[1:] != image.shape[1:]:
        raise InputError(
            f"The mask {mask_path} has {mask.shape[1]} × {mask.shape[2]} pixels (rows × columns), but its image "
            f"{image_path} has {image.shape[1]} × {image.shape[2]}."
        )
