# SPDX-License-Identifier: Apache-2.0
"""Inference of pictures that are larger than the network takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers import SimpleInferer
from monai.transforms import Resize
from monai.utils import convert_to_tensor

from pipeline.utils import InputError

__all__ = ["ResizeInferer"]


class ResizeInferer(SimpleInferer):
    """Reduces pictures to the network's size as the bundles' preprocessing does, then runs the network.

    The gradient goes through both, so that an attack can act on the picture at its original resolution. What the
    network predicts is not enlarged again.

    Args:
        spatial_size: rows and columns that the network takes.

    Raises:
        InputError: if a picture has this size already, and an original resolution has been lost before.
    """

    def __init__(self, spatial_size: Sequence[int]) -> None:
        super().__init__()
        self.spatial_size = tuple(spatial_size)
        self.resize = Resize(spatial_size, mode="bilinear", anti_aliasing=True)

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """
        Args:
            inputs: pictures (B, C, H, W) in [0, 1], of any size.
            network: from pictures (B, C, *spatial_size) to whatever it gives.
            args: passed on to the network.
            kwargs: passed on to the network.
        """
        if tuple(inputs.shape[2:]) == self.spatial_size:
            raise InputError(
                f"ResizeInferer: the pictures have the network's size {self.spatial_size} already; prepare the data at "
                "its original resolution, or give a smaller --image_size."
            )
        resized = torch.stack([convert_to_tensor(self.resize(picture), track_meta=False) for picture in inputs])
        return super().__call__(resized, network, *args, **kwargs)
