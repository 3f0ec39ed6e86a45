# SPDX-License-Identifier: Apache-2.0
"""NIfTI files as pictures and masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.openers import Opener

from pipeline.utils import InputError

from .display_window import lost_in_window
from .mask_values import zeros_and_ones
from .picture import Picture

__all__ = ["decode_nifti", "decode_nifti_mask", "nifti_orientation", "place_as_shown"]


# of a header's units of length in mm, by NIfTI's codes for metres and micrometres; all others count as mm
_UNITS = {1: 1e3, 3: 1e-3}
# of float32, relative: what cancels to 0 in a value of slope, stored number and intercept
_ROUNDING = 2.0**-21


def decode_nifti(path: Path) -> Picture:
    """Decode a NIfTI file that holds one 2D picture or one slice, turned by its affine.

    Of the two axes of the picture, the one along left-right (else along front-back) becomes the columns, towards left
    (else back); the other becomes the rows, towards the feet (else back): the radiological way of showing coronal,
    sagittal and axial pictures.

    Values, after the header's slope and intercept: 8-bit unsigned files are divided by 255; floating-point or scaled
    files within [0, 1] are kept; any other file is spread from its display window (cal_min, cal_max) if the header has
    one, else, if it is of 8 bits, from its least to its greatest possible value, else from the least to the greatest
    that it has.

    Raises:
        InputError: if the file is damaged, holds more than one slice, colors, or NaN or infinite values.
    """
    file = _load(path)
    wrong = int(file.values.size - np.isfinite(file.values).sum())
    if wrong:
        raise InputError(f"The picture {path} has {wrong} pixels that are NaN or infinite.")
    low, high = _range(file)
    return file.as_picture(np.clip((file.values - low) / (high - low), 0, 1).astype(np.float32)[None])


def decode_nifti_mask(path: Path) -> Picture:
    """Decode a NIfTI mask, turned as :func:`decode_nifti` does: 0 where the value after slope and intercept is 0.

    Raises:
        InputError: as :func:`decode_nifti`, and if there are more values than 0 and one other.
    """
    file = _load(path)
    # a file that stores 0 by a slope and an intercept, which are float32, may only come near to it
    near_zero = np.abs(file.values) <= _ROUNDING * abs(file.intercept)
    return file.as_picture(zeros_and_ones(np.where(near_zero, 0, file.values), path))


def nifti_orientation(
    affine: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return nibabel orientations of (columns, rows, slice) as pictures are shown, and of a file's three axes.

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


def place_as_shown(
    affine: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return how a file's axes are turned to be shown, a nibabel orientation, and the affine of what is shown.

    Args:
        affine: of the file.
        shape: of the file's array, with one slice.
    """
    target, start = nifti_orientation(affine, shape)
    turn = nib.orientations.ornt_transform(start, target)
    return turn, affine @ nib.orientations.inv_ornt_aff(turn, _three(shape))


@dataclass(frozen=True)
class _Slice:
    """What a NIfTI file holds: values (rows, columns) the right way up, after slope and intercept, and the rest."""

    values: npt.NDArray[np.float64]
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    window: tuple[float, float]
    spacing: tuple[float, float]
    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]
    notes: list[str]

    @property
    def is_scaled(self) -> bool:
        return (self.slope, self.intercept) != (1, 0)

    def as_picture(self, pixels: npt.NDArray[np.float32]) -> Picture:
        return Picture(pixels, self.spacing, self.shape, self.affine, " ".join(self.notes))


def _load(path: Path) -> _Slice:
    try:
        file: Any = nib.load(path)
        if not isinstance(file, nib.Nifti1Pair):
            raise InputError(f"The file {path} is not a NIfTI picture but a {type(file).__name__}.")
        shape, dtype = tuple(int(size) for size in file.shape), file.get_data_dtype()
        _check_kind(path, shape, dtype)
        notes: list[str] = []
        affine = _place(path, file.header, notes)
        stored: Any = file.dataobj
        values = np.asanyarray(stored).astype(np.float64)
    except InputError:
        raise
    # damaged files make nibabel and zlib raise nearly anything
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"The file {path} cannot be read as NIfTI ({reason}); copy it again.") from error
    turn, place = place_as_shown(affine, shape)
    turned = nib.orientations.apply_orientation(values.reshape(_three(shape)), turn)
    columns_size, rows_size, _ = nib.affines.voxel_sizes(place)
    return _Slice(
        values=turned[:, :, 0].T,
        dtype=dtype,
        slope=float(stored.slope),
        intercept=float(stored.inter),
        window=(float(file.header["cal_min"]), float(file.header["cal_max"])),
        spacing=(float(rows_size), float(columns_size)),
        shape=shape,
        affine=affine,
        notes=notes,
    )


def _check_kind(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    one_slice = len(shape) == 2 or (len(shape) > 2 and 1 in shape[:3] and shape[3:] in ((), (1,)))
    if not one_slice or 0 in shape:
        raise InputError(f"The NIfTI file {path} has the shape {shape}; one 2D picture or one slice is needed.")
    if dtype.names:
        raise InputError(
            f"The NIfTI file {path} holds colors ({', '.join(dtype.names)}), and NIfTI is read as grey only; save it "
            "as PNG."
        )
    if np.issubdtype(dtype, np.complexfloating):
        raise InputError(f"The NIfTI file {path} holds {dtype} values; one grey value per pixel is needed.")


def _place(path: Path, header: Any, notes: list[str]) -> npt.NDArray[np.float64]:
    """Return the affine in mm, with 1 mm along an axis that has no usable size of its pixels.

    Where the affine is that of the sform, the sizes stand in it, and those of ``pixdim`` do not count.
    """
    unit = _UNITS.get(int(header["xyzt_units"]) & 7, 1.0)
    if not int(header["sform_code"]):
        # nibabel mends what is 0 or negative, so that only the file itself tells
        with Opener(str(path)) as file:
            stored = type(header).from_fileobj(file, check=False)["pixdim"][1:4]
        absent = ~(np.isfinite(stored) & (stored > 0))
        header = header.copy()
        header["pixdim"][1:4][absent] = 1 / unit
        # the third size of a picture of two axes means nothing
        if absent[: int(header["dim"][0])].any():
            notes.append(
                "The header's sizes of a pixel (pixdim) are not all positive numbers; 1 mm was assumed for them."
            )
    affine = np.array(header.get_best_affine(), dtype=np.float64)
    affine[:3] *= unit
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise InputError(f"The NIfTI file {path} has an affine that does not say how the picture lies.")
    return affine


def _three(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape + (1,))[:3]


def _range(file: _Slice) -> tuple[float, float]:
    """Return the values of black and white, and add to the file's notes where these are not sure."""
    least, greatest = float(file.values.min()), float(file.values.max())
    if file.dtype == np.uint8 and not file.is_scaled:
        return 0.0, 255.0
    if (file.is_scaled or np.issubdtype(file.dtype, np.floating)) and least >= 0 and greatest <= 1:
        return 0.0, 1.0
    low, high = file.window
    if np.isfinite([low, high]).all() and high > low:
        file.notes.extend(lost_in_window(file.values, low, high))
        return low, high
    if (low, high) != (0, 0):
        file.notes.append("The header's display window (cal_min, cal_max) is not valid and was ignored.")
    if file.dtype == np.uint8:
        first, last = sorted((file.intercept, 255 * file.slope + file.intercept))
        return first, last
    if greatest > least:
        file.notes.append(
            f"The header has no display window; the least value, {least:g}, was taken as black and the greatest, "
            f"{greatest:g}, as white."
        )
        return least, greatest
    return least, least + 1
