# SPDX-License-Identifier: Apache-2.0
"""Which files are pictures."""

from __future__ import annotations

import os
from pathlib import Path

from .dicom_file import is_dicom

__all__ = ["PICTURE_SUFFIXES", "is_picture", "is_unread_picture", "missing_file", "picture_name"]

RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".mpo", ".gif")
NIFTI_SUFFIXES = (".nii", ".nii.gz")
DICOM_SUFFIXES = (".dcm", ".dicom", ".dic")
PICTURE_SUFFIXES = RASTER_SUFFIXES + NIFTI_SUFFIXES + DICOM_SUFFIXES
# pictures by their endings, for which there is no reader here
UNREAD_SUFFIXES = (
    *(".tif", ".tiff", ".bmp", ".dib", ".webp", ".jp2", ".j2k", ".jpx", ".jfif", ".jpe", ".avif", ".heic", ".heif"),
    *(".apng", ".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".svg", ".psd", ".exr", ".dng"),
    *(".raw", ".cr2", ".nef", ".arw", ".jxl", ".ico"),
    *(".mha", ".mhd", ".nrrd", ".nhdr", ".mgz", ".img", ".hdr"),
)


def is_picture(path: Path) -> bool:
    """Whether a file has one of ``PICTURE_SUFFIXES`` or is DICOM by its content; hidden files and DICOMDIR are not.

    A file without such an ending that cannot be opened counts as a picture: reading it says what is wrong.
    """
    if path.name.startswith(".") or path.name == "DICOMDIR":
        return False
    if path.name.lower().endswith(PICTURE_SUFFIXES):
        return True
    try:
        return is_dicom(path)
    except OSError:
        return True


def picture_name(path: Path) -> str:
    """Return a file's name without one of our endings; anything else after a dot belongs to it (UIDs have dots)."""
    suffix = next((suffix for suffix in PICTURE_SUFFIXES if path.name.lower().endswith(suffix)), "")
    return path.name[: len(path.name) - len(suffix)]


def is_unread_picture(path: Path) -> bool:
    """Whether a file is a picture by its ending, of a kind that ``PictureReader`` does not read, such as TIFF."""
    return path.name.lower().endswith(UNREAD_SUFFIXES)


def missing_file(path: Path) -> str:
    """Return the sentence for a path where there is no file."""
    if os.path.islink(path) and not os.path.exists(path):
        return (
            f"The link {path} leads nowhere; fetch its content (for example with `git annex get` or `datalad get`), or "
            "take it out."
        )
    if os.path.isdir(path):
        return f"{path} is a folder, where a file is needed; name the file itself."
    return (
        f"{path} is not a file but a pipe or a device." if os.path.exists(path) else f"The file {path} does not exist."
    )
