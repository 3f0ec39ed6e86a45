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

import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
from PIL import ExifTags, Image, ImageOps
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from pipeline.utils import InputError

from .picture import Picture

__all__ = ["decode_dicom", "decode_nifti", "decode_raster", "nifti_orientation"]

PALETTE = "PALETTE COLOR"


def decode_raster(path: Path) -> Picture:
    """Decode PNG, JPEG or GIF, turned as its EXIF orientation says.

    Transparent pixels are laid over black. 16-bit files are divided by 65535, 1-bit files are {0, 1}, all others are
    divided by 255.

    Raises:
        InputError: if the file is damaged, has several frames, or holds CMYK or 16 bits per channel with color or
            transparency (Pillow would cut these to 8).
    """
    try:
        with Image.open(path) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise InputError(f"The file {path} holds {frames} frames; one picture per file is needed.")
            wide = bool(image.tile) and ";16" in str(image.tile[0][3])
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            upright = ImageOps.exif_transpose(image)
    except InputError:
        raise
    # damaged files make Pillow's decoders raise nearly anything
    except Exception as error:
        raise InputError(f"The file {path} cannot be read as a picture ({_one_line(error)}); copy it again.") from error
    if upright.mode.startswith("I"):
        pixels: npt.NDArray[np.floating[Any]] = np.asarray(upright)[None] / 65535
    elif wide:
        raise InputError(
            f"The file {path} holds 16 bits per channel with color or transparency, which would be cut to 8 bits; "
            "convert it to 16-bit grey."
        )
    elif upright.mode == "CMYK":
        raise InputError(
            f"The file {path} holds CMYK, the inks of a printer, which are no colors without its profile; convert it "
            "to RGB."
        )
    elif upright.mode in ("L", "RGB") and "transparency" not in upright.info:
        pixels = np.atleast_3d(np.asarray(upright)).transpose(2, 0, 1).astype(np.float32) / 255
    else:
        colors = np.asarray(upright.convert("RGBA")).transpose(2, 0, 1).astype(np.float32) / 255
        pixels = colors[:3] * colors[3:]
    picture = _plain_picture(path, pixels, spacing=(1.0, 1.0))
    picture.exif_orientation = orientation if orientation in range(2, 9) else 1
    return picture


def decode_dicom(path: Path) -> Picture:
    """Decode a DICOM picture of one frame as a viewer shows it.

    Modality LUT or rescale, then the VOI LUT or the first window if the file has one, else the full range of the
    stored bits; MONOCHROME1 is inverted; palette, RGB and YBR are taken as color.

    Raises:
        InputError: if the file is damaged, has no pixels, several frames, or a compression or a window that cannot be
            decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of every value representation it mends
            data = pydicom.dcmread(path)
            frames = int(data.get("NumberOfFrames") or 1)
            if frames > 1:
                raise InputError(f"The DICOM file {path} holds {frames} frames; one picture per file is needed.")
            pixels = _dicom_pixels(data)
    except InputError:
        raise
    # damaged files make pydicom and its decoders raise nearly anything
    except Exception as error:
        raise InputError(f"The file {path} cannot be read as a DICOM picture ({_one_line(error)}).") from error
    spacing = data.get("PixelSpacing") or data.get("ImagerPixelSpacing") or (1.0, 1.0)
    return _plain_picture(path, pixels, spacing=(float(spacing[0]), float(spacing[1])))


def _dicom_pixels(data: pydicom.Dataset) -> npt.NDArray[np.float32]:
    """Return (C, rows, columns) in [0, 1]."""
    for keyword in ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"):
        if keyword in data and data[keyword].is_empty:
            del data[keyword]
    stored = pixel_array(data)
    bits = int(data.BitsStored)
    if data.PhotometricInterpretation == PALETTE:
        colors = apply_color_lut(stored, data)
        entry_bits = int(data.RedPaletteColorLookupTableDescriptor[2])
        return (colors / (2**entry_bits - 1)).astype(np.float32).transpose(2, 0, 1)
    if stored.ndim == 3:
        return (stored / (2**bits - 1)).astype(np.float32).transpose(2, 0, 1)
    shown = apply_voi_lut(apply_modality_lut(stored, data), data)
    low, high = _shown_range(data)
    pixels = np.clip((shown - low) / (high - low), 0, 1).astype(np.float32)[None]
    return 1 - pixels if data.PhotometricInterpretation == "MONOCHROME1" else pixels


def _shown_range(data: pydicom.Dataset) -> tuple[float, float]:
    """Return the values of black and white after pydicom's modality and VOI transforms."""
    luts = data.get("VOILUTSequence") or data.get("ModalityLUTSequence")
    if luts:
        return 0.0, 2.0 ** int(luts[0].LUTDescriptor[2]) - 1
    bits = int(data.BitsStored)
    least = -(2 ** (bits - 1)) if data.PixelRepresentation else 0
    slope, intercept = float(data.get("RescaleSlope", 1)), float(data.get("RescaleIntercept", 0))
    low, high = slope * least + intercept, slope * (least + 2**bits - 1) + intercept
    # where the slope is negative, pydicom's window gives the greater value for black
    return (low, high) if "WindowWidth" in data else (min(low, high), max(low, high))


def decode_nifti(path: Path) -> Picture:
    """Decode a NIfTI file that holds one 2D picture or one slice, turned by its affine.

    Of the two axes of the picture, the one along left-right (else along front-back) becomes the columns, towards left
    (else back); the other becomes the rows, towards the feet (else back): the radiological way of showing coronal,
    sagittal and axial pictures.

    Values: 8-bit unsigned files are divided by 255; floating-point files within [0, 1] are kept; any other file is
    spread from its display window (cal_min, cal_max) if the header has one, else from its least to its greatest value.

    Raises:
        InputError: if the file is damaged, holds more than one slice, or NaN or infinite values.
    """
    try:
        file: Any = nib.load(path)
        values = np.asanyarray(file.dataobj)
        affine = np.asarray(file.affine, dtype=np.float64)
    # damaged files make nibabel and zlib raise nearly anything
    except Exception as error:
        raise InputError(f"The file {path} cannot be read as NIfTI ({_one_line(error)}); copy it again.") from error
    shape = values.shape
    one_slice = values.ndim == 2 or (values.ndim > 2 and 1 in shape[:3] and shape[3:] in ((), (1,)))
    if not one_slice or 0 in shape:
        raise InputError(f"The NIfTI file {path} has the shape {shape}; one 2D picture or one slice is needed.")
    if np.iscomplexobj(values) or values.dtype.names:
        raise InputError(f"The NIfTI file {path} holds {values.dtype} values; one grey value per pixel is needed.")
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise InputError(f"The NIfTI file {path} has an affine that does not say how the picture lies.")
    target, start = nifti_orientation(affine, shape)
    to_target = nib.orientations.ornt_transform(start, target)
    turned = nib.orientations.apply_orientation(values.reshape(_three(shape)), to_target)
    pixels = turned[:, :, 0].T.astype(np.float64)
    _check_finite(path, pixels)
    sizes = nib.affines.voxel_sizes(affine)
    columns_axis, rows_axis = (int(np.flatnonzero(start[:, 0] == world)[0]) for world in target[:2, 0])
    header = file.header
    return Picture(
        pixels=_scale_nifti(pixels, values.dtype, float(header["cal_min"]), float(header["cal_max"]))[None],
        spacing=(float(sizes[rows_axis]), float(sizes[columns_axis])),
        original_shape=shape,
        original_affine=affine,
    )


def nifti_orientation(
    affine: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return nibabel orientations: of (columns, rows, slice) as pictures are shown, and of a file's three axes.

    Args:
        affine: of the file.
        shape: of the file's array, with one slice.
    """
    start = nib.io_orientation(affine)
    # an axis of one pixel is the slice; of several such axes the last
    flat = max((axis for axis, size in enumerate(_three(shape)) if size == 1), default=2)
    slice_world = start[flat, 0]
    columns_world, rows_world = sorted(world for world in start[:, 0] if world != slice_world)
    # RAS: left, back and feet are the negative directions
    target = np.array([[columns_world, -1], [rows_world, -1], [slice_world, start[flat, 1]]])
    return target, start


def _three(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape + (1,))[:3]


def _scale_nifti(
    pixels: npt.NDArray[np.float64], dtype: np.dtype[Any], cal_min: float, cal_max: float
) -> npt.NDArray[np.float32]:
    least, greatest = float(pixels.min()), float(pixels.max())
    if dtype == np.uint8:
        low, high = 0.0, 255.0
    elif np.issubdtype(dtype, np.floating) and least >= 0 and greatest <= 1:
        low, high = 0.0, 1.0
    elif cal_max > cal_min:
        low, high = cal_min, cal_max
    else:
        low, high = least, greatest if greatest > least else least + 1
    return np.clip((pixels - low) / (high - low), 0, 1).astype(np.float32)


def _plain_picture(path: Path, pixels: npt.NDArray[np.floating[Any]], spacing: tuple[float, float]) -> Picture:
    """A picture of a file that has no place in the patient, see ``to_original_orientation``."""
    _check_finite(path, pixels)
    if len(pixels) == 3 and np.array_equal(pixels[0], pixels[1]) and np.array_equal(pixels[0], pixels[2]):
        pixels = pixels[:1]
    rows, columns = pixels.shape[1:]
    affine = np.diag([-spacing[1], -spacing[0], 1.0, 1.0])
    return Picture(np.ascontiguousarray(pixels, dtype=np.float32), spacing, (columns, rows, 1), affine)


def _check_finite(path: Path, pixels: npt.NDArray[Any]) -> None:
    wrong = int(np.size(pixels) - np.isfinite(pixels).sum())
    if wrong:
        raise InputError(f"The picture {path} has {wrong} pixels that are NaN or infinite.")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
