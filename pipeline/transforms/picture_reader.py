# SPDX-License-Identifier: Apache-2.0
"""One reader for all formats, for MONAI's LoadImage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, ensure_tuple

from pipeline.utils import InputError

from .dicom_picture import decode_dicom, decode_dicom_mask
from .nifti_picture import decode_nifti, decode_nifti_mask, nifti_orientation
from .picture import Picture
from .picture_files import NIFTI_SUFFIXES, PICTURE_SUFFIXES, RASTER_SUFFIXES, missing_file
from .raster_picture import decode_raster, decode_raster_mask

__all__ = ["PictureReader", "read_mask", "read_picture", "to_original_orientation"]

# the part of the range below which a picture is remarked on
LEAST_RANGE = 1 / 8


def read_picture(path: PathLike, channels: int | None = None) -> Picture:
    """Read a DICOM, PNG, JPEG, GIF or NIfTI file as the picture that a viewer shows, the right way up.

    The format follows from the ending; a file with any other ending, or none, is taken as DICOM.

    Args:
        path: the file.
        channels: 1 for grey, 3 for RGB, None for what the file holds. A colored file whose three channels are equal
            counts as grey; a grey file read with 3 channels has its channel repeated.

    Returns:
        the picture: float32 pixels (C, rows, columns) in [0, 1], 1/255 being one grey level of an 8-bit picture.

    Raises:
        InputError: if the file is absent, damaged, of several frames, holds NaN or infinite pixels, or is colored where
            one channel is asked for.
    """
    path = Path(path)
    picture = _decode(path, decode_raster, decode_nifti, decode_dicom)
    wrong = picture.pixels.size - np.count_nonzero(np.isfinite(picture.pixels))
    if wrong:
        raise InputError(f"The picture {path} has {wrong} pixels that are NaN or infinite.")
    picture.notes = " ".join([*filter(None, [picture.notes]), *_note_on_range(picture.pixels)])
    if channels == 1 and len(picture.pixels) == 3:
        raise InputError(
            f"The picture {path} is colored, but a grey picture is needed (one channel, or three equal ones)."
        )
    if channels == 3 and len(picture.pixels) == 1:
        picture.pixels = np.repeat(picture.pixels, 3, axis=0)
    return picture


def read_mask(path: PathLike) -> Picture:
    """Read a segmentation mask: pixels (1, rows, columns), float32, 0 where the file stores 0 and 1 elsewhere.

    What counts is what is stored, whatever the file says of showing it: alpha, windows and MONOCHROME1 have no part in
    it. NIfTI values are those after slope and intercept. The file may hold 0 and one other value, such as 0/255 or 0/1;
    it may also be all background or all foreground.

    Raises:
        InputError: if the file is absent, damaged, of several frames or colored, if an alpha channel or a palette may
            mean another mask, or if there are more values than these.
    """
    return _decode(Path(path), decode_raster_mask, decode_nifti_mask, decode_dicom_mask)


def _decode(
    path: Path,
    raster: Callable[[Path], Picture],
    nifti: Callable[[Path], Picture],
    dicom: Callable[[Path], Picture],
) -> Picture:
    """Decode a file by the decoder for its ending."""
    if not path.is_file():
        raise InputError(missing_file(path))
    name = path.name.lower()
    if name.endswith(RASTER_SUFFIXES):
        return raster(path)
    return nifti(path) if name.endswith(NIFTI_SUFFIXES) else dicom(path)


def _note_on_range(pixels: npt.NDArray[np.float32]) -> list[str]:
    """Return a sentence on a picture that shows next to nothing, for example because its range is wrong."""
    least, greatest = float(pixels.min()), float(pixels.max())
    if least == greatest:
        return ["All pixels of the picture have the same value."]
    if greatest - least < LEAST_RANGE:
        return [
            f"The picture uses only {greatest - least:.2g} of its range of grey levels, from {least:.3g} to "
            f"{greatest:.3g}, where 0 is black and 1 is white."
        ]
    return []


class PictureReader(ImageReader):
    """Reader of radiographs and masks for :py:class:`monai.transforms.LoadImage`.

    Unlike MONAI's readers it gives every format the same way up: arrays are (channel, row, column), rows from the top,
    and, in a frontal radiograph, columns towards the patient's left; pictures are in [0, 1] with 1/255 for one grey
    level of 8 bits; MONOCHROME1 is inverted and the DICOM's window applied. See :func:`read_picture`.

    Metadata, the same keys for every format: ``affine`` (row and column to mm), ``spatial_shape`` (rows, columns),
    ``original_affine`` and ``original_shape`` (of the file, padded with zeros to 4, for
    :func:`to_original_orientation`), ``original_channel_dim`` (0), ``filename_or_obj``, and ``notes`` and
    ``exif_orientation`` of :class:`Picture`.

    Args:
        channels: 1 for grey, 3 for RGB, None for what the file holds. Must be 1 for masks.
        mask: read a mask instead of a picture, see :func:`read_mask`.
    """

    def __init__(self, channels: int | None = 1, mask: bool = False) -> None:
        super().__init__()
        if channels not in (None, 1, 3):
            raise InputError(f"The reader's channels must be 1, 3 or null, got {channels!r}.")
        if mask and channels != 1:
            raise InputError(f"A mask has one channel: the reader's channels must be 1, got {channels!r}.")
        self.channels = channels
        self.mask = mask

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether all the files have an ending that this reader knows."""
        return all(str(name).lower().endswith(PICTURE_SUFFIXES) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """Return the paths; the files are decoded in :meth:`get_data`.

        LoadImage goes on to its other readers when ``read`` raises, and these would read the file turned or with
        other grey levels; what ``get_data`` raises ends the loading.
        """
        return [Path(name) for name in ensure_tuple(data)]

    def get_data(self, img: Sequence[Path]) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Decode one file.

        Returns:
            pixels (C, rows, columns) and metadata.

        Raises:
            InputError: see :func:`read_picture` and :func:`read_mask`; or if more than one file is given.
        """
        if len(img) != 1:
            raise InputError(f"One file makes one picture, got {len(img)}: {', '.join(map(str, img))}.")
        picture = read_mask(img[0]) if self.mask else read_picture(img[0], self.channels)
        row_spacing, column_spacing = picture.spacing
        shape = picture.original_shape
        meta = {
            MetaKeys.AFFINE.value: np.diag([row_spacing, column_spacing, 1.0, 1.0]),
            MetaKeys.ORIGINAL_AFFINE.value: picture.original_affine,
            MetaKeys.SPATIAL_SHAPE.value: np.asarray(picture.pixels.shape[1:]),
            MetaKeys.ORIGINAL_CHANNEL_DIM.value: 0,
            # of one length for all files, so that metadata of different formats go into one batch
            "original_shape": np.asarray(shape + (0,) * (4 - len(shape))),
            "notes": picture.notes,
            "exif_orientation": picture.exif_orientation,
        }
        return picture.pixels, meta


def to_original_orientation(
    mask: npt.NDArray[Any], meta: Mapping[str, Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Undo what :class:`PictureReader` did to the axes, for writing a mask as NIfTI beside its image.

    A mask of a NIfTI image comes back in the array layout of that file with that file's affine, in mm. DICOM, PNG and
    JPEG have no position in the patient; there the array is (columns, rows, 1) with columns towards the patient's left
    and rows towards the back, spaced in mm, which is how ITK's programs read such pictures, so that they lay the one
    over the other.

    Args:
        mask: (rows, columns), at the size that the file had, see ``spatial_shape``.
        meta: metadata from :class:`PictureReader`.

    Returns:
        array and affine (4, 4) for ``nibabel.Nifti1Image``.

    Raises:
        ValueError: if the mask is not of the original size.
    """
    rows, columns = (int(size) for size in meta[MetaKeys.SPATIAL_SHAPE])
    if mask.shape != (rows, columns):
        raise ValueError(f"the mask must have the shape of the original, {(rows, columns)}, got {mask.shape}")
    affine = np.asarray(meta[MetaKeys.ORIGINAL_AFFINE], dtype=np.float64)
    shape = tuple(int(size) for size in meta["original_shape"] if int(size) > 0)
    turned = mask.T.reshape(columns, rows, 1)
    target, start = nifti_orientation(affine, shape)
    back = nib.orientations.ornt_transform(target, start)
    return nib.orientations.apply_orientation(turned, back).reshape(shape), affine
