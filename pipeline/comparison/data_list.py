# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.transforms import datalist_fingerprint

__all__ = ["DataList", "read_data_list"]


@dataclass(frozen=True)
class DataList:
    """What is noted of the data of a cell.

    Attributes:
        fingerprint: of the data list and all files that it names.
        description: what the list says that the data is; empty if it says nothing.
    """

    fingerprint: str
    description: str


def read_data_list(dataset_dir: Path) -> DataList:
    """Read what identifies the data in a folder that ``data_prep`` has written.

    Raises:
        InputError: if the data list or a file that it names is absent or cannot be read.
    """
    file = dataset_dir / "datalist.json"
    fingerprint = datalist_fingerprint(file)
    return DataList(fingerprint, str(json.loads(file.read_text(encoding="utf-8")).get("description", "")))
