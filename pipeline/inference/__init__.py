# SPDX-License-Identifier: Apache-2.0
"""From folders of pictures to masks, overlays, DICOM SEG and exported networks."""

from __future__ import annotations

from .autocast_inferer import AutocastInferer
from .chest_radiograph import why_no_chest_radiograph, why_no_picture
from .dicom_segmentation_writer import DicomSegmentationWriter
from .find_pictures import FoundPictures, check_pictures, find_pictures, save_dicom_names, summarize
from .overlay import draw_overlay
from .plausible_masks import PlausibleMasks
from .readable_dataset import ReadableDataset, segment_pictures
from .resize_inferer import ResizeInferer
from .segmentation_writer import SegmentationWriter

__all__ = [
    "AutocastInferer",
    "DicomSegmentationWriter",
    "FoundPictures",
    "PlausibleMasks",
    "ReadableDataset",
    "ResizeInferer",
    "SegmentationWriter",
    "check_pictures",
    "draw_overlay",
    "find_pictures",
    "save_dicom_names",
    "segment_pictures",
    "summarize",
    "why_no_chest_radiograph",
    "why_no_picture",
]
