# SPDX-License-Identifier: Apache-2.0
"""Stored values as masks of 0 and 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.utils import InputError

__all__ = ["one_channel", "palette_values", "zeros_and_ones"]


def zeros_and_ones(values: npt.NDArray[Any], path: Path) -> npt.NDArray[np.float32]:
    """Return a mask (1, rows, columns) that is 1 where the stored values (rows, columns) are not 0.

    Raises:
        InputError: if there are more values than 0 and one other, or values that are not numbers.
    """
    wrong = int(np.size(values) - np.isfinite(values).sum())
    if wrong:
        raise InputError(f"The mask {path} has {wrong} pixels that are NaN or infinite.")
    foreground = values != 0
    inside = values[foreground]
    if inside.size and inside.min() != inside.max():
        raise InputError(
            f"The mask {path} has {len(np.unique(values))} different values; a mask may have only 0 "
            f"(background) and one other value (foreground){_of_jpeg(path)}."
        )
    return foreground[None].astype(np.float32)


def _of_jpeg(path: Path) -> str:
    return "; JPEG makes others of these: save it as PNG" if path.suffix.lower() in (".jpg", ".jpeg") else ""


def one_channel(channels: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Return the channel (rows, columns) of a colored mask (rows, columns, 3) whose three channels are equal.

    Raises:
        InputError: if they differ.
    """
    if (channels != channels[..., :1]).any():
        raise InputError(f"The mask {path} is colored, but a grey mask is needed (one channel, or three equal ones).")
    return channels[..., 0]


def palette_values(indices: npt.NDArray[Any], colors: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Return the values (rows, columns) of a mask that is stored with a palette.

    They are the grey levels if all its colors are grey, else the stored indices, as label editors write them.

    Args:
        indices: (rows, columns), the stored ones.
        colors: (rows, columns, 3), those of the pixels.
        path: of the mask.

    Raises:
        InputError: if color and index tell different foregrounds: a color other than black for the index 0, black for
            another one, or one grey for all indices.
    """
    all_alike = indices.min() != indices.max() and bool((colors == colors[0, 0]).all())
    if not all_alike and (colors == colors[..., :1]).all():
        return colors[..., 0]
    if all_alike or ((indices != 0) != colors.any(axis=-1)).any():
        raise InputError(
            f"The mask {path} has a palette that tells another foreground than its stored indices do; save it as grey "
            "(0 for the background)."
        )
    return indices
