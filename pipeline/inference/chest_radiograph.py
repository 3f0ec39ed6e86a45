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

from pydicom import Dataset

__all__ = ["why_no_chest_radiograph", "why_no_picture"]

MODALITIES = ("CR", "DX")
CHEST = ("CHEST", "THORAX", "LUNG")
# DICOM's defined terms for lateral and oblique views, and what is written in their place
OTHER_VIEWS = ("LL", "RL", "LLO", "RLO", "LAT", "LATERAL")


def why_no_picture(tags: Dataset) -> str:
    """Return why a DICOM file cannot be a picture, such as a report; empty if it can."""
    # what cannot be read has no tags at all: reading its pixels says what is wrong
    return "no picture" if tags and "Rows" not in tags else ""


def why_no_chest_radiograph(tags: Dataset) -> str:
    """Return why a DICOM file is no frontal chest radiograph, as far as it says; empty if it may be one.

    The modality must be CR or DX. A body part or a view that the file does not name, as many do not, is no reason.

    Args:
        tags: from ``read_dicom_tags``.
    """
    reason = why_no_picture(tags)
    if reason or not tags:
        return reason
    modality, part, view = (str(tags.get(name) or "") for name in ("Modality", "BodyPartExamined", "ViewPosition"))
    if modality not in MODALITIES:
        return f"modality {modality or 'not given'}, not {' or '.join(MODALITIES)}"
    if part and not any(name in part.upper() for name in CHEST):
        return f"body part {part}"
    if view.upper() in OTHER_VIEWS:
        return f"view {view}"
    return ""
