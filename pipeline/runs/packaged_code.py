# SPDX-License-Identifier: Apache-2.0
"""The commit that the code of a packaged bundle comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["SOURCE", "code_digest", "packaged_code"]

SOURCE = "source.json"  # beside the code in a packaged bundle
_CODE = {("scripts", ".py"), ("configs", ".json")}


def code_digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of the code of a bundle: of ``*.py`` in ``scripts`` and ``*.json`` in ``configs``.

    Args:
        files: content by name in the bundle, such as ``scripts/networks/nlce.py``; others are passed over.
    """
    digest = hashlib.sha256()
    for name in sorted(files):
        if (name.partition("/")[0], Path(name).suffix) in _CODE:
            digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def packaged_code(package: Path) -> dict[str, Any] | None:
    """Return the ``commit`` that a packaged bundle was made from, and whether its code is ``dirty``; or None.

    Dirty: it was at that commit's time, or a file was changed, added or removed since.

    Args:
        package: the folder ``scripts`` of the bundle.
    """
    if not (package / SOURCE).is_file():
        return None
    source = json.loads((package / SOURCE).read_text(encoding="utf-8"))
    bundle = package.parent
    paths = [path for folder in (package, bundle / "configs") for path in folder.rglob("*") if path.is_file()]
    digest = code_digest({path.relative_to(bundle).as_posix(): path.read_bytes() for path in paths})
    return {"commit": source["commit"], "dirty": source["dirty"] or source["sha256"] != digest}
