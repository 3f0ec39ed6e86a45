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

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["lost_in_window"]


def lost_in_window(values: npt.NDArray[Any], low: float, high: float) -> list[str]:
    """Return a sentence if a display window makes more than half of a picture black, or white.

    Args:
        values: of the pixels, finite.
        low: value of black; what is less is black too.
        high: value of white; what is greater is white too.
    """
    return [
        f"The display window of the file makes {share:.0%} of the picture {color}."
        for color, share in (("black", np.mean(values < low)), ("white", np.mean(values > high)))
        if share > 0.5
    ]
