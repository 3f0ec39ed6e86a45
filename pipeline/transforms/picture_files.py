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

from pathlib import Path

from pydicom.misc import is_dicom

__all__ = ["PICTURE_SUFFIXES", "is_picture", "picture_name"]

RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif")
NIFTI_SUFFIXES = (".nii", ".nii.gz")
DICOM_SUFFIXES = (".dcm", ".dicom", ".dic")
PICTURE_SUFFIXES = RASTER_SUFFIXES + NIFTI_SUFFIXES + DICOM_SUFFIXES


def is_picture(path: Path) -> bool:
    """Whether a file has one of ``PICTURE_SUFFIXES`` or is DICOM by its content; hidden files and DICOMDIR are not.

    A file without such an ending that cannot be opened counts as a picture: whoever reads it says what is wrong.
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
