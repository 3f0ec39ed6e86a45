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

import os

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skimage.transform import resize

from pipeline.utils import atomic_path

from .pictures import dic, show_picture

__all__ = ["save_panel"]

SHOWN_EPSILONS = (0.5, 2.0, 8.0, 16.0, 32.0)


@rc_context({"axes.titlesize": 8})
def save_panel(pictures: str | os.PathLike[str], path: str | os.PathLike[str], grey_level: float = 1.0) -> None:
    """Draw one image under attack (the paper's Figures 1 and 6): perturbation, adversarial picture and prediction.

    Args:
        pictures: file of ``AdversarialEvaluation``'s ``save_dir``.
        path: the picture file to write.
        grey_level: what ε counts, in grey levels of 255.
    """
    with np.load(pictures) as content:
        image, label, delta = content["image"], content["label"], content["delta"]
        epsilons, prediction = content["epsilons"], content["prediction"]
    shown = [index for index, epsilon in enumerate(epsilons) if epsilon in SHOWN_EPSILONS] or list(range(len(epsilons)))
    figure = Figure(figsize=(2.1 * (len(shown) + 1), 6.6), layout="constrained")
    axes = figure.subplots(3, len(shown) + 1, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    show_picture(axes[0, 0], image, "input")
    show_picture(axes[1, 0], np.stack([255 * label] * 3), "mask")
    _show_mask(axes[2, 0], image, label, prediction[0])
    axes[2, 0].set_title(f"clean, DIC {dic(prediction[0], label):.3f}")
    for column, index in enumerate(shown, start=1):
        epsilon, reach = epsilons[index], epsilons[index] * grey_level
        show_picture(axes[0, column], 127.5 + delta[index] * (127.5 / reach), f"perturbation, ±{reach:g}")
        show_picture(axes[1, column], image + delta[index], f"adversarial, ε = {epsilon:g}")
        _show_mask(axes[2, column], image + delta[index], label, prediction[index + 1])
        axes[2, column].set_title(f"prediction, DIC {dic(prediction[index + 1], label):.3f}")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _show_mask(axis: Axes, picture: np.ndarray, label: np.ndarray, prediction: np.ndarray) -> None:
    """The masks may be smaller than the picture, where that is attacked at its original resolution."""
    show_picture(axis, picture)
    label, prediction = (resize(mask, picture.shape[1:], order=0, preserve_range=True) for mask in (label, prediction))
    axis.imshow(np.ma.masked_equal(prediction, 0), cmap="autumn", alpha=0.45, vmin=0, vmax=1, interpolation="nearest")
    axis.contour(label, levels=[0.5], colors="cyan", linewidths=0.8)
