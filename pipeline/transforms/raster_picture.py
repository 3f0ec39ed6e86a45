# SPDX-License-Identifier: Apache-2.0
"""PNG, JPEG and GIF files as pictures and masks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps

from pipeline.utils import InputError

from .mask_values import one_channel, palette_values, zeros_and_ones
from .picture import Picture, plain_picture

__all__ = ["decode_raster", "decode_raster_mask"]

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
# what Pillow multiplies grey levels of 2 and 4 bits by, but not the level that PNG names as transparent
_SPREAD = {"L;2": 85, "L;4": 17}


def decode_raster(path: Path) -> Picture:
    """Decode PNG, JPEG or GIF, turned as its EXIF orientation says.

    Transparent pixels are laid over black. 16-bit files are divided by 65535, 1-bit files are {0, 1}, all others are
    divided by 255. Of the several pictures that a phone's JPEG may hold (MPO), the first is the picture.

    Raises:
        InputError: if the file is damaged, has several frames, or holds CMYK, or 16 bits per channel with color or
            transparency (Pillow would cut these to 8), or pixels of another kind than these formats have.
    """
    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            levels = np.asarray(upright)[None]
            # of grey PNG one level may be transparent
            pixels: npt.NDArray[Any] = np.where(levels == upright.info.get("transparency", -1), 0, levels / 65535)
        elif upright.mode in ("L", "RGB") and "transparency" not in upright.info:
            pixels = np.atleast_3d(np.asarray(upright)).transpose(2, 0, 1).astype(np.float32) / 255
        else:
            colors = np.asarray(upright.convert("RGBA")).transpose(2, 0, 1).astype(np.float32) / 255
            pixels = colors[:3] * colors[3:]
        return plain_picture(pixels, notes=_notes(image), exif_orientation=_orientation(image))


def decode_raster_mask(path: Path) -> Picture:
    """Decode a mask that is PNG, JPEG or GIF, turned as its EXIF orientation says: 0 where the stored value is 0.

    A transparent color, and an alpha channel of one value, have no meaning. For palettes see :func:`palette_values`.

    Raises:
        InputError: as :func:`decode_raster`, and if the mask is colored, has an alpha channel that is not constant, or
            more values than 0 and one other.
    """
    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        upright.info.pop("transparency", None)
        if upright.mode in ("LA", "PA", "RGBA"):
            low, high = upright.getchannel("A").getextrema()
            if low != high:
                raise InputError(
                    f"The mask {path} has an alpha channel that is not constant, and nothing says whether it is the "
                    "mask; save it as grey, without alpha."
                )
        values = np.asarray(upright)
        if upright.mode in ("P", "PA"):
            indices = values if upright.mode == "P" else values[..., 0]
            values = palette_values(indices, np.asarray(upright.convert("RGB")), path)
        elif upright.mode in ("RGB", "RGBA"):
            values = one_channel(values[..., :3], path)
        elif upright.mode == "LA":
            values = values[..., 0]
        return plain_picture(zeros_and_ones(values, path), notes=_notes(image), exif_orientation=_orientation(image))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a file and check that it holds one picture whose values Pillow gives as they are."""
    try:
        with Image.open(path) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                raise InputError(f"The file {path} holds {frames} frames; one picture per file is needed.")
            image.seek(0)
            kind = str(image.tile[0][3]) if image.tile else ""
            image.load()
            _check_mode(path, image, wide=";16" in kind)
            if kind in _SPREAD and "transparency" in image.info:
                image.info["transparency"] *= _SPREAD[kind]
            yield image
    except InputError:
        raise
    # damaged files make Pillow's decoders raise nearly anything
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"The file {path} cannot be read as a picture ({reason}); copy it again.") from error


def _check_mode(path: Path, image: Image.Image, wide: bool) -> None:
    if _is_16_bit(image):
        return
    if wide:
        raise InputError(
            f"The file {path} holds 16 bits per channel with color or transparency, which would be cut to 8 bits; "
            "convert it to 16-bit grey."
        )
    if image.mode == "CMYK":
        raise InputError(
            f"The file {path} holds CMYK, printer inks whose colors depend on a profile; convert it to RGB."
        )
    if image.mode not in _MODES:
        raise InputError(
            f"The file {path} is {image.format} with pixels of the kind {image.mode}, whose range is not known; "
            "convert it to PNG."
        )


def _is_16_bit(image: Image.Image) -> bool:
    # of the formats with 32-bit pixels, which Pillow gives as "I" too, PNG is none
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")


def _orientation(image: Image.Image) -> int:
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return int(orientation) if orientation in range(2, 9) else 1


def _notes(image: Image.Image) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    return [f"The file holds {frames} pictures, of which the first was read."] if frames > 1 else []
