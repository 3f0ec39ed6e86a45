# SPDX-License-Identifier: Apache-2.0
"""The whole assessment in one call, for any network in Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from pipeline.utils import InputError

from .assessor import Assessor
from .read_batch import image_names

__all__ = ["assess_robustness"]


def assess_robustness(
    network: nn.Module, batches: Iterable[Mapping[str, Any]], output_dir: str | os.PathLike[str], **settings: Any
) -> dict[str, Any]:
    """Tell how robust a segmentation network is, and write the report; see :class:`Assessor`.

    Args:
        network: from images (B, C, *spatial) to logits of the masks' size, on the device where it is to run.
        batches: dictionaries with ``image`` and ``label`` tensors, and ``id`` for the names, such as a ``DataLoader``.
        output_dir: folder for ``report.html``, ``report.json``, ``scores.parquet`` and pictures. What is there of an
            interrupted assessment is not done again.
        settings: those of :class:`Assessor`.

    Returns:
        The content of ``report.json``.

    Raises:
        InputError: see :class:`Assessor`; if a batch has no image or no label.

    Example:
        >>> report = assess_robustness(network, DataLoader(test_set, batch_size=8), "robustness", budget="quick")
        >>> report["clean"]["DIC"], report["worst_case"].keys()
        (1.0, dict_keys(['2', '8', '32']))
    """
    assessor = Assessor(network, output_dir, **settings)
    done = 0
    for batch in batches:
        for key in ("image", "label"):
            if key not in batch:
                raise InputError(f"batches: a batch has no key '{key}', only {', '.join(map(repr, batch))}.")
        names = image_names(batch, len(batch["image"]), done)
        assessor.add(batch["image"], batch["label"], names)
        done += len(names)
    return assessor.finish()
