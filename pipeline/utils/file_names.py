# SPDX-License-Identifier: Apache-2.0
"""Ids of pictures as names of files."""

from __future__ import annotations

import os
import re
import unicodedata

__all__ = ["file_name", "named_by", "why_no_id"]

# file systems allow 255 bytes; what stands before and behind a name, such as "panel_" or "_mask.nii.gz", needs some
MAX_NAME_BYTES = 200
# "#", "%" and "?" would be taken for parts of an address when MLflow sends the file to its server
_UNSAFE = re.compile(r"[/\\%#?=\x00-\x1f\x7f]|^\.")
_CODE = re.compile(r"=([0-9A-F]{2})")


def file_name(name: str) -> str:
    """Return a picture's id as a file name without an ending, valid in any folder.

    Slashes, backslashes, control characters, ``%``, ``#``, ``?``, ``=`` and a leading dot become ``=`` and two
    hexadecimal digits, as in quoted-printable (RFC 2045). Different ids give different names, see :func:`named_by`.
    """
    return _UNSAFE.sub(lambda match: f"={ord(match[0]):02X}", name)


def named_by(name: str) -> str:
    """Return the id from which :func:`file_name` made ``name``."""
    return _CODE.sub(lambda match: chr(int(match[1], 16)), name)


def why_no_id(name: str) -> str:
    """Return why a text cannot be the id of a picture, as the end of a sentence; empty if it can.

    An id stands in tables, on figures and in the names of files: it must show something, fit on one line, be valid
    Unicode, and take at most ``MAX_NAME_BYTES`` bytes as :func:`file_name`.
    """
    if not name.strip():
        return "is empty"
    kinds = {unicodedata.category(character) for character in name}
    if kinds & {"Cc", "Zl", "Zp"}:
        return "contains control characters or line breaks"
    if "Cs" in kinds:
        return "is not valid Unicode"
    size = len(os.fsencode(file_name(name)))
    return f"takes {size} bytes as the name of a file, more than {MAX_NAME_BYTES}" if size > MAX_NAME_BYTES else ""
