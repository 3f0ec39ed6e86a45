# SPDX-License-Identifier: Apache-2.0
"""A check that a mask lies over its picture."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from monai.config import KeysCollection, NdarrayOrTensor, PathLike
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey, MetaKeys

from pipeline.utils import InputError

from .nifti_picture import place_as_shown
from .picture import Picture

__all__ = ["CheckMaskd", "check_pair"]


def check_pair(image: Picture, image_path: PathLike, mask: Picture, mask_path: PathLike) -> None:
    """Check that a mask lies over its picture pixel by pixel.

    Raises:
        InputError: if the mask is of another size than the picture, or one of the two is shown turned or mirrored by
            its EXIF orientation: nothing says whether the other was drawn before or after. Or if NIfTI affines turn or
            mirror the two in different ways, and do not put them in one place either.
    """
    _check(*(_picture_side(*side) for side in ((image, image_path), (mask, mask_path))))


class CheckMaskd(MapTransform):
    """Check that masks lie over their image, see :func:`check_pair`; put it right after loading, before any resizing.

    Args:
        keys: keys of the masks, channel-first, loaded by ``PictureReader``.
        image_key: key of the image, channel-first, loaded by ``PictureReader``.
        allow_missing_keys: do not raise if a key is missing.

    Raises:
        InputError: see :func:`check_pair`.
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        image = _side(data[self.image_key], self.image_key)
        for key in self.key_iterator(data):
            _check(image, _side(data[key], str(key)))
        return dict(data)


class _Side(NamedTuple):
    """What decides whether a picture and a mask belong together."""

    name: str
    size: tuple[int, ...]
    exif_orientation: int = 1
    # of the file; None for an array that was not read from one
    affine: npt.NDArray[np.float64] | None = None
    shape: tuple[int, ...] = ()


def _picture_side(picture: Picture, path: PathLike) -> _Side:
    size, exif_orientation = picture.pixels.shape[1:], picture.exif_orientation
    return _Side(str(path), size, exif_orientation, picture.original_affine, picture.original_shape)


def _side(array: NdarrayOrTensor, key: str) -> _Side:
    meta = getattr(array, "meta", {})
    name = str(meta.get(ImageMetaKey.FILENAME_OR_OBJ, f"'{key}'"))
    size = tuple(array.shape[1:])
    if "original_shape" not in meta:
        return _Side(name, size)
    affine = np.asarray(meta[MetaKeys.ORIGINAL_AFFINE], dtype=np.float64)
    shape = tuple(int(length) for length in meta["original_shape"] if int(length) > 0)
    return _Side(name, size, int(meta["exif_orientation"]), affine, shape)


def _check(image: _Side, mask: _Side) -> None:
    # before the sizes, which differ too where a picture is turned by a quarter
    for kind, side, other in (("picture", image, "mask"), ("mask", mask, "picture")):
        if side.exif_orientation != 1:
            raise InputError(
                f"The {kind} {side.name} has an EXIF orientation ({side.exif_orientation}) that turns or mirrors it, "
                f"and nothing says whether its {other} was drawn before or after; save the {kind} without this tag, "
                f"oriented as its {other}."
            )
    if mask.size != image.size:
        raise InputError(
            f"The mask {mask.name} has {_by(mask.size)} pixels (rows × columns), but its image {image.name} has "
            f"{_by(image.size)}."
        )
    if not _lie_alike(image, mask):
        raise InputError(
            f"The mask {mask.name} and its picture {image.name} are turned or mirrored in different ways by the NIfTI "
            "affine of either, and do not lie over each other in space, in which PNG, JPEG and DICOM have no place; "
            "save both as NIfTI with one affine, or both as PNG, the right way up."
        )


def _lie_alike(image: _Side, mask: _Side) -> bool:
    """Whether both are turned in the same way to be shown, or lie over each other in the picture's plane when shown."""
    if image.affine is None or mask.affine is None:
        return True
    image_turn, image_place = place_as_shown(image.affine, image.shape)
    mask_turn, mask_place = place_as_shown(mask.affine, mask.shape)
    if np.array_equal(image_turn, mask_turn):
        return True
    rows, columns = image.size
    corners = np.array([(0, 0, 0, 1), (columns - 1, 0, 0, 1), (0, rows - 1, 0, 1)]).T
    # a mask of another slice lies over the picture, too
    plane = np.linalg.qr(image_place[:3, :2])[0]
    apart = np.linalg.norm(plane.T @ ((image_place - mask_place) @ corners)[:3], axis=0)
    pixel = np.linalg.norm(image_place[:3, :2], axis=0).min()
    return bool(apart.max() <= pixel / 2)


def _by(size: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in size)
