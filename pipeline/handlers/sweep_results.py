# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.utils import InputError, atomic_path

__all__ = ["SweepResults"]

logger = logging.getLogger(__name__)

Scores = dict[float, tuple[float, float]]


class SweepResults:
    """DIC and JSC of each image at each ε, kept in a JSON file from which an interrupted sweep goes on.

    Args:
        path: the JSON file; None keeps the results in memory only.
        conditions: what the results depend on (network, attack). A file made under others is not read.

    Raises:
        InputError: if the file is no such JSON file.
    """

    def __init__(self, path: Path | None, conditions: Mapping[str, Any]) -> None:
        self.path = path
        self.conditions = json.loads(json.dumps(conditions))
        self.images: dict[str, tuple[str, Scores]] = {}
        if path is not None and path.is_file():
            self._read(path)

    def done(self, name: str, digest: str) -> bool:
        """Return whether image ``name`` with the content ``digest`` has been attacked already."""
        return name in self.images and self.images[name][0] == digest

    def add(self, name: str, digest: str, scores: Scores) -> None:
        """Keep the scores of one image, {ε: (DIC, JSC)}, in memory."""
        self.images[name] = (digest, scores)

    def save(self) -> None:
        """Write all results to the file."""
        if self.path is None:
            return
        images = {
            name: {"image": digest, "scores": {str(epsilon): pair for epsilon, pair in scores.items()}}
            for name, (digest, scores) in self.images.items()
        }
        with atomic_path(self.path) as path:
            path.write_text(json.dumps({"conditions": self.conditions, "images": images}))

    def _read(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
            if content["conditions"] != self.conditions:
                logger.warning("%s is of another attack or network; the sweep starts anew.", path)
                return
            for name, entry in content["images"].items():
                scores = {float(epsilon): (dic, jsc) for epsilon, (dic, jsc) in entry["scores"].items()}
                if not all(0 <= score <= 1 for pair in scores.values() for score in pair):
                    raise ValueError(f"{name}: a score is none")
                self.images[name] = (entry["image"], scores)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is no file of an interrupted sweep, or is damaged; remove it to start anew."
            ) from error
