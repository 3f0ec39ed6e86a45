# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

from pipeline.utils import InputError, Notes

from .find_pictures import FoundPictures

__all__ = ["summarize"]


def summarize(
    found: FoundPictures,
    failures: Sequence[str],
    without_dicom: Sequence[str] = (),
    notes: Notes | None = None,
    implausible: Sequence[str] = (),
    unchecked: str = "",
) -> None:
    """Print what an inference has done: each entry of the folder is in exactly one count.

    Args:
        found: the pictures.
        failures: one message for each picture that could not be read or segmented.
        without_dicom: one message for each picture of which no DICOM SEG could be made.
        notes: what the reader had to say of pictures.
        implausible: one sentence for each mask that is unlike those of the training.
        unchecked: why that was not checked; empty if it was.

    Raises:
        InputError: if there is a failure, so that the program ends with status 1.
    """
    total, failed = len(found.items), len(failures)
    lines = [
        *(notes.lines() if notes else ()),
        *(f"implausible: {sentence}" for sentence in implausible),
        *([unchecked] if unchecked else ()),
        *(f"DICOM files ignored: {count} ({reason})" for reason, count in found.ignored.items()),
        *(f"skipped: {count} {what}" for what, count in found.skipped.items()),
        *(f"failed: {message}" for message in found.failures),
        f"Pictures segmented: {total - failed} of {total}; output folder: {found.output_dir}",
    ]
    # names of files are bytes, and old archives' are not UTF-8
    print("\n".join(lines).encode("utf-8", "backslashreplace").decode())
    problems = [
        (failed, f"of {total} pictures could not be segmented"),
        (len(found.failures), "folders could not be read"),
        (len(without_dicom), f"of {total} pictures have no DICOM SEG"),
    ]
    said = [f"{count} {what}" for count, what in problems if count]
    if said:
        raise InputError(f"{'; '.join(said)}. The lines that begin with 'failed' say why.")
