# SPDX-License-Identifier: Apache-2.0
"""DICOM files: finding and parsing them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset
from pydicom.misc import is_dicom as has_preamble
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pipeline.utils import InputError

__all__ = ["is_dicom", "quiet_pydicom", "read_dicom", "reading_dicom"]

# group numbers of the first element of a data set: file meta information, or identification in either byte order
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its content: it has the preamble, or is the bare data set of a picture.

    Raises:
        OSError: if it cannot be opened.
    """
    return bool(has_preamble(path)) or _is_bare_picture(path)


def read_dicom(path: Path, tags: Sequence[str] | None = None, pixels: bool = True) -> FileDataset:
    """Read a DICOM file, also one that lacks the preamble or the file meta information (PS3.10, 7.1).

    Args:
        path: the file.
        tags: keywords of the elements to read, None for all.
        pixels: read the pixels too.

    Returns:
        the data set, whose ``file_meta`` always has a transfer syntax: where the file does not name it, the one in
        which the data set is written.

    Raises:
        InputError: if it is not a DICOM file or is damaged.
    """
    with reading_dicom(path):
        bare = not has_preamble(path)
        if bare and not _is_bare_picture(path):
            raise InputError(
                f"The file {path} cannot be read as a DICOM picture (it has neither the DICOM header, 'DICM' after 128 "
                "bytes, nor the bare data set of a picture); export it again as DICOM, or give it the ending of its "
                "format."
            )
        data = pydicom.dcmread(
            path, force=bare, stop_before_pixels=not pixels, specific_tags=None if tags is None else list(tags)
        )
        if not data.file_meta.get("TransferSyntaxUID"):
            implicit, little_endian = data.original_encoding
            explicit = ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian
            data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
        return data


@contextmanager
def reading_dicom(path: Path) -> Iterator[None]:
    """Turn whatever pydicom raises into an ``InputError`` that names the file, and keep its warnings quiet."""
    try:
        with quiet_pydicom():
            yield
    except InputError:
        raise
    # damaged files make pydicom and its decoders raise nearly anything, RecursionError and MemoryError among it
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"The file {path} cannot be read as a DICOM picture ({reason}).") from error


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence the warnings and logs of pydicom and highdicom: they quote values, which may be a patient's."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _is_bare_picture(path: Path) -> bool:
    """Whether a file without preamble is a data set that tells its rows and columns."""
    with open(path, "rb") as file:
        if file.read(2) not in _FIRST_GROUPS:
            return False
    try:
        with quiet_pydicom():
            data = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
            return bool(data.get("Rows")) and bool(data.get("Columns"))
    except Exception:
        # anything but a data set can make the parser raise nearly anything
        return False
