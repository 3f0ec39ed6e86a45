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

from collections.abc import Sequence

from pipeline.utils import InputError

from .find_pictures import FoundPictures

__all__ = ["summarize"]


def summarize(found: FoundPictures, failures: Sequence[str], without_dicom: Sequence[str] = ()) -> None:
    """Print what an inference has done, in one line.

    Args:
        found: the pictures.
        failures: one message for each picture that could not be read.
        without_dicom: one message for each picture of which no DICOM SEG could be made.

    Raises:
        InputError: if there is a message, so that the program ends with status 1.
    """
    total, failed = len(found.items), len(failures)
    for reason, count in found.ignored.items():
        print(f"DICOM files ignored: {count} ({reason})")
    print(
        f"Pictures segmented: {total - failed} of {total}; other files skipped: {found.skipped}; output folder: "
        f"{found.output_dir}"
    )
    if failed:
        raise InputError(f"{failed} of {total} pictures could not be read; the lines that begin with 'failed' say why.")
    if without_dicom:
        raise InputError(
            f"{len(without_dicom)} of {total} pictures have no DICOM SEG; the lines that begin with 'failed' say why."
        )
