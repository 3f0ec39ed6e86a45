# SPDX-License-Identifier: Apache-2.0
"""A remark on display windows that hide most of a picture."""

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
