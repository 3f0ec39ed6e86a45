# SPDX-License-Identifier: Apache-2.0
"""JPEG, of grey and color pictures in two dimensions."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
from PIL import Image

__all__ = ["is_grey_or_color", "jpeg"]


def is_grey_or_color(picture: torch.Tensor) -> bool:
    """Return whether a picture (C, *spatial) has two dimensions, and one channel or three."""
    return picture.ndim == 3 and len(picture) in (1, 3)


def jpeg(picture: np.ndarray, quality: float, generator: np.random.Generator) -> np.ndarray:
    """Return the picture after JPEG of a quality, its grey levels rounded before."""
    rounded = picture.clip(0, 255).round().astype(np.uint8)
    file = BytesIO()
    Image.fromarray(rounded[0] if len(rounded) == 1 else rounded.transpose(1, 2, 0)).save(
        file, "JPEG", quality=int(quality)
    )
    decoded = np.asarray(Image.open(file), dtype=np.float32)
    return decoded[None] if decoded.ndim == 2 else decoded.transpose(2, 0, 1)
