# SPDX-License-Identifier: Apache-2.0
"""What was found about each image so far, kept in a file for resuming an interrupted assessment."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.utils import InputError, atomic_path

__all__ = ["ImageResults"]

logger = logging.getLogger(__name__)


class ImageResults:
    """What was found about each image, by its name, as plain numbers and texts in a JSON file.

    Args:
        path: the file.
        conditions: what the results depend on. A file made under others is not read, and that is said.

    Raises:
        InputError: if the file is damaged.
    """

    def __init__(self, path: Path, conditions: Mapping[str, Any]) -> None:
        self.path = path
        self.conditions = json.loads(json.dumps(conditions))
        self.images: dict[str, dict[str, Any]] = {}
        if path.is_file():
            self._read()

    def done(self, name: str, digest: str) -> bool:
        """Return whether an image with this content has been done."""
        return name in self.images and self.images[name]["digest"] == digest

    def add(self, name: str, digest: str, found: Mapping[str, Any]) -> None:
        """Keep what was found about an image, in memory."""
        self.images[name] = {"digest": digest, **found}

    def save(self) -> None:
        """Write all to the file."""
        with atomic_path(self.path) as path:
            path.write_text(json.dumps({"conditions": self.conditions, "images": self.images}))

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text())
            conditions, images = content["conditions"], content["images"]
            for entry in images.values():
                entry["digest"], entry["scores"]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.path} is not the file of an interrupted assessment, or is damaged; remove it to start again."
            ) from error
        if conditions == self.conditions:
            self.images = images
        else:
            logger.warning(
                "%s belongs to another network, other settings, code or torch; the assessment starts again.",
                self.path,
            )
