# SPDX-License-Identifier: Apache-2.0
"""What was found about each image so far, kept in a file from which interrupted work goes on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.utils import InputError, atomic_path

from .environment import code_in_use

__all__ = ["KeptResults", "content_digest"]

logger = logging.getLogger(__name__)


class KeptResults:
    """What was found about each image, by its name, as plain numbers and texts in a JSON file.

    Args:
        path: the file; None keeps the results in memory only.
        work: what is interrupted, such as ``"sweep"``, for messages.
        conditions: what the results depend on, beside this package's code and torch. A file made under others is not
            read, and that is said.

    Attributes:
        images: what was found, with its ``digest``, by the image's name.

    Raises:
        InputError: if the file is damaged.

    Example:
        >>> results = KeptResults(None, "sweep", {"epsilons": [8.0]})
        >>> results.add("a", "digest", {"scores": {"8.0": [0.5, 0.3]}})
        >>> results.done("a", "digest"), results.done("a", "another")
        (True, False)
    """

    def __init__(self, path: Path | None, work: str, conditions: Mapping[str, Any]) -> None:
        self.path = path
        made_with = {"code": code_in_use(), "torch": str(torch.__version__)}
        self.conditions = json.loads(json.dumps({**conditions, **made_with}))
        self.images: dict[str, dict[str, Any]] = {}
        if path is not None and path.is_file():
            self._read(path, work)

    def done(self, name: str, digest: str) -> bool:
        """Return whether an image with this content has been done."""
        return name in self.images and self.images[name]["digest"] == digest

    def add(self, name: str, digest: str, found: Mapping[str, Any]) -> None:
        """Keep what was found about an image, in memory."""
        self.images[name] = {"digest": digest, **found}

    def save(self) -> None:
        """Write all to the file."""
        if self.path is not None:
            with atomic_path(self.path) as path:
                path.write_text(json.dumps({"conditions": self.conditions, "images": self.images}))

    def _read(self, path: Path, work: str) -> None:
        try:
            content = json.loads(path.read_text())
            if content["conditions"] != self.conditions:
                logger.warning(
                    "%s belongs to another network, other settings, code or torch; the %s starts again.", path, work
                )
                return
            for entry in content["images"].values():
                entry["digest"], entry["scores"]
            self.images = content["images"]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is not the file of an interrupted {work}, or is damaged; remove it to start again."
            ) from error


def content_digest(image: torch.Tensor, label: torch.Tensor) -> str:
    """Return the SHA-256 of an image's and its mask's values: what tells whether it is the one that was done."""
    # as bytes: NumPy has no bfloat16
    content = (each.cpu().contiguous().view(torch.uint8).numpy().tobytes() for each in (image, label))
    return hashlib.sha256(b"".join(content)).hexdigest()
