# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes

from pipeline.metrics import dic_jsc

from .colors import TRUE

__all__ = ["dic", "outline", "show_picture"]


def show_picture(axis: Axes, picture: npt.NDArray[Any], title: str = "") -> None:
    """Show a picture (C, H, W) in grey levels of 0 to 255, C being 1 or 3; other levels become black or white."""
    channels_last = np.moveaxis(np.broadcast_to(picture, (3, *picture.shape[1:])), 0, -1)
    axis.imshow(np.clip(channels_last / 255, 0, 1), interpolation="nearest")
    axis.set_title(title)


def outline(axis: Axes, label: npt.NDArray[Any]) -> None:
    """Outline the true mask (H, W) of 0 and 1 on the picture that ``axis`` shows."""
    if label.min() < label.max():
        axis.contour(label, levels=[0.5], colors=TRUE, linewidths=0.8)


def dic(prediction: npt.NDArray[Any], label: npt.NDArray[Any]) -> float:
    """Return DIC of two masks (H, W) of 0 and 1; two empty ones have 1."""
    predicted, truth = (torch.from_numpy(np.asarray(mask))[None, None] for mask in (prediction, label))
    return float(dic_jsc(predicted, truth)[0, 0].item())
