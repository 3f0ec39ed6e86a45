# SPDX-License-Identifier: Apache-2.0
"""Tags of DICOM files, and names that reveal nothing about the patient."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydicom.dataset import Dataset

from pipeline.utils import InputError

from .dicom_file import read_dicom, reading_dicom
from .picture_files import NIFTI_SUFFIXES, RASTER_SUFFIXES

__all__ = ["dicom_pseudonym", "is_dicom_picture", "read_dicom_tags"]

_TAGS = [
    "SOPInstanceUID",
    "Modality",
    "SeriesDescription",
    "AnatomicRegionSequence",
    "AnatomicalOrientationType",
    "BodyPartExamined",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "ViewPosition",
    "PatientOrientation",
    "Rows",
    "ViewCodeSequence",
]


def is_dicom_picture(path: Path) -> bool:
    """Whether ``PictureReader`` takes a file as DICOM: it has the ending of no other format."""
    return not path.name.lower().endswith(RASTER_SUFFIXES + NIFTI_SUFFIXES)


def read_dicom_tags(path: Path) -> Dataset:
    """Return what a DICOM file says about its kind, nothing about the patient; empty if it cannot be read."""
    try:
        tags = read_dicom(path, tags=_TAGS, pixels=False)
    except InputError:
        # reading the pixels says what is wrong
        return Dataset()
    for tag in list(tags.keys()):
        try:
            with reading_dicom(path):
                tags[tag]  # pydicom converts a value when it is first asked for
        except InputError:
            del tags[tag]
    return tags


def dicom_pseudonym(path: Path) -> str:
    """Return a name for a DICOM file that reveals nothing about the patient: ``dicom_`` and 12 hexadecimal digits.

    The digits begin the SHA-256 of its content, so that the same file gets the same name everywhere and another
    never gets it, though many an exported file has the SOP Instance UID of another; of its path where the file cannot
    be opened.
    """
    try:
        content = path.read_bytes()
    except OSError:
        content = os.fsencode(path)
    return f"dicom_{hashlib.sha256(content).hexdigest()[:12]}"
