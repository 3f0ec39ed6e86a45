# SPDX-License-Identifier: Apache-2.0
"""Pictures, masks and data lists: reading and checking."""

from __future__ import annotations

from .check_logits import CheckLogitsd
from .check_mask import CheckMaskd, check_pair
from .datalist import data_name, datalist_digests, datalist_file, datalist_fingerprint, load_datalist
from .dicom_file import quiet_pydicom, read_dicom
from .dicom_tags import dicom_pseudonym, is_dicom_picture, read_dicom_tags
from .jsrt_image import JSRT_MAXIMUM, JSRT_SHAPE, read_jsrt_image
from .list_folder import FolderContent, list_folder, say_closed
from .load_picture import LoadPictured
from .mask_range import (
    MaskRange,
    copy_mask_range,
    mask_range_path,
    measure_mask,
    read_mask_range,
    write_mask_range,
)
from .picture import Picture
from .picture_files import PICTURE_SUFFIXES, is_picture, is_unread_picture, missing_file, picture_name
from .picture_reader import PictureReader, read_mask, read_picture, to_original_orientation
from .tell_notes import TellNotesd
from .to_file_layout import ToFileLayoutd

__all__ = [
    "JSRT_MAXIMUM",
    "JSRT_SHAPE",
    "PICTURE_SUFFIXES",
    "CheckLogitsd",
    "CheckMaskd",
    "FolderContent",
    "LoadPictured",
    "MaskRange",
    "Picture",
    "PictureReader",
    "TellNotesd",
    "ToFileLayoutd",
    "check_pair",
    "copy_mask_range",
    "data_name",
    "datalist_digests",
    "datalist_file",
    "datalist_fingerprint",
    "dicom_pseudonym",
    "is_dicom_picture",
    "is_picture",
    "is_unread_picture",
    "list_folder",
    "load_datalist",
    "mask_range_path",
    "measure_mask",
    "missing_file",
    "picture_name",
    "quiet_pydicom",
    "read_dicom",
    "read_dicom_tags",
    "read_jsrt_image",
    "read_mask",
    "read_mask_range",
    "read_picture",
    "say_closed",
    "to_original_orientation",
    "write_mask_range",
]
