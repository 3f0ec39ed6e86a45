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

import hashlib
import os
import warnings
from pathlib import Path

import pydicom

from .picture_files import NIFTI_SUFFIXES, RASTER_SUFFIXES

__all__ = ["dicom_pseudonym", "is_dicom_picture", "read_dicom_tags"]

_TAGS = ["SOPInstanceUID", "Modality", "BodyPartExamined", "ViewPosition", "Rows"]


def is_dicom_picture(path: Path) -> bool:
    """Whether ``PictureReader`` takes a file as DICOM: it has the ending of no other format."""
    return not path.name.lower().endswith(RASTER_SUFFIXES + NIFTI_SUFFIXES)


def read_dicom_tags(path: Path) -> pydicom.Dataset:
    """Return what a DICOM file says of its kind, nothing of the patient; an empty data set if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of every value representation it mends
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
    except Exception:
        # damaged files make pydicom raise nearly anything; whoever reads the pixels says what is wrong
        return pydicom.Dataset()


def dicom_pseudonym(path: Path, tags: pydicom.Dataset) -> str:
    """Return a name for a DICOM file that tells nothing of the patient: ``dicom_`` and 12 hexadecimal digits.

    They are the begin of the SHA-256 of its SOP Instance UID, or, without one, of its content, so that the same picture
    gets the same name everywhere; of its path where the file cannot be opened.
    """
    content = str(tags.get("SOPInstanceUID") or "").encode()
    if not content:
        try:
            content = path.read_bytes()
        except OSError:
            content = os.fsencode(path)
    return f"dicom_{hashlib.sha256(content).hexdigest()[:12]}"
