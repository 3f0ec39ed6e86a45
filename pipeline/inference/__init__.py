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

from .chest_radiograph import why_no_chest_radiograph, why_no_picture
from .dicom_segmentation_writer import DicomSegmentationWriter
from .find_pictures import FoundPictures, check_pictures, find_pictures, save_dicom_names
from .overlay import draw_overlay
from .plausible_masks import PlausibleMasks
from .readable_dataset import ReadableDataset
from .resize_inferer import ResizeInferer
from .segment_pictures import segment_pictures
from .segmentation_writer import SegmentationWriter
from .summary import summarize

__all__ = [
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
