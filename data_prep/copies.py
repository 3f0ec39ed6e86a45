# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.transforms import is_dicom_picture, read_dicom_tags

from .remarks import Remarks

__all__ = ["Copies"]


class Copies:
    """Say which pictures are another one of the set, or say that they are: this one may be in the other part.

    Args:
        remarks: gets a note on each.
    """

    def __init__(self, remarks: Remarks) -> None:
        self.remarks = remarks
        self._by_content: dict[bytes, Path] = {}
        self._by_uid: dict[str, Path] = {}

    def look_at(self, path: Path) -> None:
        """Compare a picture's file with those before it."""
        same = self._by_content.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
        if same != path:
            self.remarks.note(f"{same} and {path}", "These are the same picture, byte for byte; both are taken.")
            return
        uid = str(read_dicom_tags(path).get("SOPInstanceUID") or "") if is_dicom_picture(path) else ""
        other = self._by_uid.setdefault(uid, path) if uid else path
        if other != path:
            self.remarks.note(
                f"{other} and {path}", "These have one SOP Instance UID and different content; both are taken."
            )
