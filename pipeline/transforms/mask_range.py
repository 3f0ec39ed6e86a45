# SPDX-License-Identifier: Apache-2.0
"""What the masks of a training were like, kept beside its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from skimage.measure import label

from pipeline.utils import InputError, atomic_path

__all__ = ["MaskRange", "copy_mask_range", "mask_range_path", "measure_mask", "read_mask_range", "write_mask_range"]

SPECK = 1e-4  # share of the picture: what is smaller is the edge of something, and no part


@dataclass(frozen=True)
class MaskRange:
    """What the masks of a training were like.

    Attributes:
        weights: fingerprint of the weights that it led to, of ``fingerprint_network``.
        masks: how many there were.
        area: share of the picture that the smallest and the largest one covers, in [0, 1]; of those that are not
            empty, (0, 0) if all are.
        parts: the most that one has, see ``measure_mask``.
    """

    weights: str
    masks: int
    area: tuple[float, float]
    parts: int

    @classmethod
    def of(cls, masks: Iterable[np.ndarray], weights: str) -> MaskRange:
        """Measure masks, one or more.

        Args:
            masks: as ``measure_mask`` takes them.
            weights: the fingerprint.
        """
        measured = [measure_mask(mask) for mask in masks]
        areas = [area for area, _ in measured if area > 0] or [0.0]
        return cls(weights, len(measured), (min(areas), max(areas)), max(parts for _, parts in measured))


def measure_mask(mask: np.ndarray) -> tuple[float, int]:
    """Return the share of the picture that a mask covers, and the number of its parts.

    Both hardly depend on the size to which the mask is scaled: a part is what is connected, over corners too, and
    covers at least 1/10,000 of the picture.

    Args:
        mask: (*spatial), foreground where it is not 0.
    """
    foreground = mask != 0
    sizes = np.bincount(label(foreground, connectivity=mask.ndim).ravel())[1:]
    return float(foreground.mean()), int(np.count_nonzero(sizes >= SPECK * mask.size))


def mask_range_path(weights: str | os.PathLike[str]) -> Path:
    """Return where the ``MaskRange`` of a file of weights stands: ``model_masks.json`` beside ``model.pt``."""
    path = Path(weights)
    return path.with_name(f"{path.stem}_masks.json")


def write_mask_range(content: MaskRange, weights: str | os.PathLike[str]) -> None:
    """Write a ``MaskRange`` beside a file of weights.

    Raises:
        InputError: if it cannot be written.
    """
    _write(json.dumps(asdict(content), indent=4) + "\n", mask_range_path(weights))


def copy_mask_range(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Copy the ``MaskRange`` of a file of weights, if there is one, to another file of the same weights.

    Raises:
        InputError: if it cannot be written.
    """
    path = mask_range_path(source)
    if path.is_file():
        _write(path.read_text(encoding="utf-8"), mask_range_path(target))


def read_mask_range(weights: str | os.PathLike[str]) -> MaskRange:
    """Read the ``MaskRange`` beside a file of weights.

    Raises:
        InputError: if there is none, or it cannot be read.
    """
    path = mask_range_path(weights)
    if not path.is_file():
        raise InputError(f"There is no {path}; copy it from where the training left it, beside its weights.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lowest, highest = map(float, content["area"])
        result = MaskRange(str(content["weights"]), int(content["masks"]), (lowest, highest), int(content["parts"]))
        # not a number is not in the range
        if not (0 <= lowest <= highest <= 1 and result.parts >= 0 and result.masks >= 1):
            raise ValueError("values out of range")
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(
            f"{path} is damaged; copy it again from where the training left it, beside its weights."
        ) from error
    return result


def _write(text: str, path: Path) -> None:
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}); make room there and run the same command again."
        ) from error
