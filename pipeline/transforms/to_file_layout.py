# SPDX-License-Identifier: Apache-2.0
"""Masks in the layout of their picture's file, for MONAI Label."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import MetaKeys

from .picture_reader import to_original_orientation

__all__ = ["ToFileLayoutd"]


class ToFileLayoutd(MapTransform):
    """Bring masks into the axes of the picture's file, for MONAI Label, which writes arrays as files store them.

    A mask (1, rows, columns) becomes (1, columns, rows, 1), uint8, for DICOM, PNG and JPEG, and for NIfTI a volume of
    the file's own shape, in its own orientation. The picture's ``spatial_shape`` follows, so that MONAI Label does not
    resize the mask.

    Args:
        keys: the masks.
        reference: key of the picture, with the metadata of ``PictureReader``.
    """

    def __init__(self, keys: KeysCollection, reference: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.reference = reference

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        items = dict(data)
        picture = items[self.reference]
        for key in self.key_iterator(items):
            volume, affine = to_original_orientation(items[key].cpu().numpy()[0].astype(np.uint8), picture.meta)
            volume = np.ascontiguousarray(volume.reshape((volume.shape + (1,))[:3]))
            items[key] = MetaTensor(torch.from_numpy(volume[None]), affine=torch.from_numpy(affine))
            meta = {**picture.meta, MetaKeys.SPATIAL_SHAPE.value: np.asarray(volume.shape)}
            items[self.reference] = MetaTensor(picture.as_tensor(), meta=meta)
        return items
