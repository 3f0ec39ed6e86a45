# SPDX-License-Identifier: Apache-2.0
"""The transform that loads a picture and its mask."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, MapTransform
from monai.utils import CommonKeys

from .check_mask import CheckMaskd
from .picture_reader import PictureReader
from .tell_notes import TellNotesd

__all__ = ["LoadPictured"]


class LoadPictured(MapTransform):
    """Load ``"image"`` and ``"label"``, check that one lies over the other, and say what was noted on the files.

    The image comes as (C, H, W) in [0, 1], the mask as (1, H, W) with the file's foreground as 1.

    Args:
        channels: C, 1 for grey or 3 for color.

    Raises:
        InputError: in a call, as ``PictureReader`` and ``CheckMaskd`` do.

    Example:
        >>> load = LoadPictured(channels=1)  # load({"image": "lung.png", "label": "lung_mask.png"})
    """

    def __init__(self, channels: int = 1) -> None:
        keys = (CommonKeys.IMAGE, CommonKeys.LABEL)
        super().__init__(keys)
        # MONAI takes readers too, and does not say so
        image_reader: Any = PictureReader(channels=channels)
        mask_reader: Any = PictureReader(mask=True)
        self._load = Compose(
            [
                LoadImaged(CommonKeys.IMAGE, reader=image_reader),
                LoadImaged(CommonKeys.LABEL, reader=mask_reader),
                EnsureChannelFirstd(keys),
                CheckMaskd(CommonKeys.LABEL),
                TellNotesd(keys),
            ]
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        return self._load(data)
