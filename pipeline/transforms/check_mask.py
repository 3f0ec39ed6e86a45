# SPDX-License-Identifier: Apache-2.0
"""A check that a mask lies over its picture."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from monai.config import KeysCollection, NdarrayOrTensor, PathLike
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey

from pipeline.utils import InputError

from .picture import Picture

__all__ = ["CheckMaskd", "check_pair"]


def check_pair(image: Picture, image_path: PathLike, mask: Picture, mask_path: PathLike) -> None:
    """Check that a mask lies over its picture pixel by pixel.

    Raises:
        InputError: if the mask is of another size than the picture, or one of the two is shown turned or mirrored by
            its EXIF orientation: nothing says whether the other was drawn before or after.
    """
    _check(
        _Side(str(image_path), image.pixels.shape[1:], image.exif_orientation),
        _Side(str(mask_path), mask.pixels.shape[1:], mask.exif_orientation),
    )


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
    exif_orientation: int


def _side(array: NdarrayOrTensor, key: str) -> _Side:
    meta = getattr(array, "meta", {})
    name = str(meta.get(ImageMetaKey.FILENAME_OR_OBJ, f"'{key}'"))
    return _Side(name, tuple(array.shape[1:]), int(meta.get("exif_orientation", 1)))


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


def _by(size: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in size)
