# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pipeline.transforms import list_folder, say_closed
from pipeline.utils import InputError

from .remarks import Remarks

__all__ = ["list_source"]


def list_source(folder: Path, remarks: Remarks, errors: list[str], leave_out: Collection[Path] = ()) -> list[Path]:
    """Return the files of a folder of the source and its subfolders, sorted by path.

    Args:
        folder: see ``list_folder``.
        remarks: gets the counts of what else is there.
        errors: gets a line for each folder that cannot be opened.
        leave_out: folders that are not of this source, such as the command's output.

    Raises:
        InputError: if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.")
    content = list_folder(folder, leave_out)
    remarks.leave_out(content.skipped)
    errors += [say_closed(f"The folder {path}", why) for path, why in content.closed.items()]
    return content.files
