# SPDX-License-Identifier: Apache-2.0
"""Masks as NIfTI and PNG."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from ignite.engine import Engine, Events
from monai.config import PathLike
from monai.utils import CommonKeys
from PIL import Image

from pipeline.transforms import to_original_orientation
from pipeline.utils import InputError, atomic_path

from .overlay import draw_overlay

__all__ = ["SegmentationWriter", "predicted_masks", "result_file"]


@contextmanager
def result_file(output_dir: Path, name: str, ending: str) -> Iterator[Path]:
    """Write one result of a picture atomically, see ``atomic_path``.

    Args:
        output_dir: the folder of all results.
        name: the picture's name, relative to it.
        ending: what follows the name, such as ``"_mask.png"``.

    Raises:
        InputError: if the file cannot be written.
    """
    try:
        with atomic_path(output_dir / f"{name}{ending}") as temporary:
            yield temporary
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"The name of {name} is too long for the files of its results; rename it.") from error
        raise InputError(
            f"output_dir: the results of {name} cannot be written to {output_dir} ({error.strerror or error}); make "
            "room there, or name another folder with --output_dir."
        ) from error


def predicted_masks(engine: Engine) -> Iterator[tuple[Mapping[str, Any], np.ndarray]]:
    """Yield each item of an evaluator's decollated batch with its mask, uint8 (rows, columns), 0 or 1."""
    batch: Any = engine.state.batch
    outputs: Any = engine.state.output
    for item, output in zip(batch, outputs, strict=True):
        yield item, output[CommonKeys.PRED].cpu().numpy()[0].astype(np.uint8)


class SegmentationWriter:
    """Write the mask of each picture as NIfTI and PNG, and the mask drawn on the picture as PNG.

    ``<name>_mask.nii.gz`` (0 and 1, uint8) lies in space as the picture's file does, see
    :func:`pipeline.transforms.to_original_orientation`; ``<name>_mask.png`` (0 and 255) and ``<name>_overlay.png`` are
    the right way up. All are of the original size. They are written atomically and replace those of an earlier run.

    Args:
        output_dir: folder to write to.
    """

    def __init__(self, output_dir: PathLike) -> None:
        self.output_dir = Path(output_dir)

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: an evaluator with decollated output. Each item of its batch holds ``"name"``, relative to
                ``output_dir`` and without an ending, and ``"picture"``, (C, rows, columns) in [0, 1] with the metadata
                of ``PictureReader``; each item of its output holds ``"pred"``, (1, rows, columns), 0 or 1.
        """
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the files of one batch.

        Raises:
            InputError: if a file cannot be written.
        """
        for item, mask in predicted_masks(engine):
            self._write(item, mask)

    def _write(self, item: Mapping[str, Any], mask: np.ndarray) -> None:
        volume, affine = to_original_orientation(mask, item["picture"].meta)
        nifti = nib.Nifti1Image(volume, affine)
        nifti.header.set_xyzt_units("mm")
        with result_file(self.output_dir, item["name"], "_mask.nii.gz") as temporary:
            nib.save(nifti, temporary)
        with result_file(self.output_dir, item["name"], "_mask.png") as temporary:
            Image.fromarray(255 * mask).save(temporary)
        with result_file(self.output_dir, item["name"], "_overlay.png") as temporary:
            Image.fromarray(draw_overlay(item["picture"].cpu().numpy(), mask)).save(temporary)
