# SPDX-License-Identifier: Apache-2.0
"""Remarks on files, told once for each kind."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from threading import Lock

from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey

from pipeline.utils import is_first_process, note_kind

__all__ = ["TellNotesd"]


class TellNotesd(MapTransform):
    """Write to stderr what ``PictureReader`` noted on files, once for each kind of note.

    Put it after loading. Notes say where a file contradicts itself, or how it was read where it does not say how.

    Args:
        keys: keys of what ``PictureReader`` loaded.
        allow_missing_keys: do not raise if a key is missing.
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self._told: set[str] = set()
        self._lock = Lock()  # CacheDataset reads in several threads

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        for key in self.key_iterator(data):
            meta = getattr(data[key], "meta", {})
            file, note = meta.get(ImageMetaKey.FILENAME_OR_OBJ, f"'{key}'"), meta.get("notes", "")
            kind = note_kind(note)
            with self._lock:
                new = bool(note) and kind not in self._told
                self._told.add(kind)
            if new and is_first_process():
                print(f"note: {file}: {note} Further notes of this kind are not shown.", file=sys.stderr)
        return dict(data)
