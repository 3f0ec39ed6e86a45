# SPDX-License-Identifier: Apache-2.0
"""JSRT's raw format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from monai.config import PathLike

from pipeline.utils import InputError

__all__ = ["JSRT_MAXIMUM", "JSRT_SHAPE", "read_jsrt_image"]

JSRT_SHAPE = (2048, 2048)
JSRT_MAXIMUM = 4095


def read_jsrt_image(path: PathLike, shape: tuple[int, int] = JSRT_SHAPE) -> npt.NDArray[np.uint16]:
    """Read a raw ``.IMG`` file of the JSRT set: big-endian 16-bit pixels without a header, 12 bits used.

    Args:
        path: the file.
        shape: its rows and columns.

    Returns:
        the values as stored, 0 to 4095, *low* values being the bright parts of the film: the picture that people look
        at is ``4095 - value``.

    Raises:
        InputError: if the file is absent, its size is wrong or a value exceeds 4095.
    """
    path = Path(path)
    expected = shape[0] * shape[1] * 2
    try:
        size = path.stat().st_size
        if size != expected:
            state = "truncated" if size < expected else "too long"
            raise InputError(f"The file {path} is {state}: {size:,} bytes, and it must have {expected:,}.")
        values = np.fromfile(path, dtype=">u2").reshape(shape).astype(np.uint16)
    except OSError as error:
        raise InputError(f"The file {path} cannot be read ({error.strerror}).") from error
    greatest = int(values.max())
    if greatest > JSRT_MAXIMUM:
        raise InputError(
            f"The file {path} holds the value {greatest}, and JSRT has 12 bits (0 to {JSRT_MAXIMUM}); it is damaged or "
            "not big-endian."
        )
    return values
