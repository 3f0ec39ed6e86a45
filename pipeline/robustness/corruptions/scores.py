# SPDX-License-Identifier: Apache-2.0
"""How well a network does on corrupted pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.attacks import AttackedNetwork

from .corruption import Corruption
from .every_corruption import CORRUPTIONS

__all__ = ["corrupted_scores"]


def corrupted_scores(
    attacked: AttackedNetwork,
    picture: torch.Tensor,
    label: torch.Tensor,
    names: Sequence[str],
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return ``image``, ``corruption``, ``severity``, ``DIC`` and ``JSC`` of each image of a batch, one row for each.

    Corruptions that do not apply to the pictures are left out; ``Corruption.applies`` says which.

    Args:
        attacked: the network.
        picture: (B, C, *spatial) in grey levels of 0 to 255.
        label: the masks, as ``attacked.classes`` has them.
        names: of the images.
        corruptions: those that are tried.
        seed: of the noise.

    Example:
        >>> len(corrupted_scores(attacked, picture, label, ["a", "b", "c"], CORRUPTIONS[:1]))
        15
    """
    rows = []
    for corruption in (each for each in corruptions if each.applies(picture[0])):
        for severity in range(1, 6):
            pairs = [corruption(*pair, severity, seed) for pair in zip(picture, label, strict=True)]
            pictures, labels = (torch.stack(each) for each in zip(*pairs, strict=True))
            scores = attacked.scores(attacked.predict(pictures, labels), labels)
            rows += [
                {"image": name, "corruption": corruption.name, "severity": severity, "DIC": dic, "JSC": jsc}
                for name, (dic, jsc) in zip(names, scores.tolist(), strict=True)
            ]
    return rows
