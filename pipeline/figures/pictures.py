# SPDX-License-Identifier: Apache-2.0
"""How figures show pictures and masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes

from pipeline.metrics import dic_jsc

__all__ = ["MAP", "PREDICTED", "TRUE", "dic", "outline", "show_picture"]


# What is the same has the same color in panels, in the report and in the overlays of inference. Cyan and red are told
# apart by color-blind people too (P. Tol, "Colour Schemes", SRON/EPS/TN/09-002), in a print in grey, and from the greys
# of radiographs and the browns of skin.
PREDICTED = "#00C8FF"
TRUE = "#CC3311"

# maps that show no picture: (predicted, true) to color and name
MAP = {
    (1, 1): ("#FFFFFF", "predicted and true"),
    (1, 0): (PREDICTED, "predicted, not true"),
    (0, 1): (TRUE, "true, not predicted"),
    (0, 0): ("#000000", "neither"),
}


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
