# SPDX-License-Identifier: Apache-2.0
"""The table of scores, image × ε × attack, and what follows from it: the worst case of each image at each ε."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

__all__ = [
    "CLEAN",
    "COLUMNS",
    "MOVED",
    "NOISE",
    "PAPER",
    "REFINED",
    "attack_names",
    "class_cells",
    "class_columns",
    "worst_case",
]

# names in the column "attack" that are no attacks: the untouched picture (ε = 0), and noise without any intent
CLEAN = "clean"
NOISE = "noise"
# the paper's attack; it and the noise are shown as they are: the last pictures, not the worst
PAPER = "paper"
# the attack that goes on from what all others found, those without gradients included
REFINED = "refined"

# DIC and JSC from 0 to 1; HD95 in pixels or voxels and NSD from 0 to 1, see ``surface_scores``; moved: the most that
# a grey level was changed, as a part of ε
COLUMNS = ("image", "epsilon", "attack", "DIC", "JSC", "HD95", "NSD", "moved")

# behind it the number of a class: its own DIC, beside the mean over classes, where there is more than one
_OF_CLASS = "DIC_"

# of ε, from which on an attack has used it: a difference of two grey levels in fp32 is not exact
MOVED = 0.999


def attack_names(scores: pd.DataFrame) -> list[str]:
    """Return the attacks of a table, in its order, without the clean picture and the noise."""
    return [name for name in scores["attack"].unique() if name not in (CLEAN, NOISE)]


def class_cells(dic: Sequence[float]) -> dict[str, float]:
    """Return what a row says of each class, numbered from 1: its DIC; nothing where there is only one.

    Example:
        >>> class_cells([0.75, 0.25])
        {'DIC_1': 0.75, 'DIC_2': 0.25}
    """
    return {f"{_OF_CLASS}{number}": value for number, value in enumerate(dic, start=1)} if len(dic) > 1 else {}


def class_columns(scores: pd.DataFrame) -> list[str]:
    """Return the columns of a table that hold the DIC of each class, in order; none where there is only one."""
    return [name for name in scores if str(name).startswith(_OF_CLASS)]


def worst_case(scores: pd.DataFrame) -> pd.DataFrame:
    """Return of each image at each ε the row with the lowest DIC of all attacks, of that ε and of smaller ones.

    What is within a smaller ε is within a larger one, too, so that the worst case never rises with ε. The clean picture
    is within every ε. Noise counts: it is within ε like anything else.

    Args:
        scores: a table with ``COLUMNS``, and others.

    Returns:
        A table with the same columns, sorted by image and ε, whose ``epsilon`` is the one allowed and whose ``attack``
        says who found it.

    Example:
        >>> worst_case(scores).groupby("epsilon")["DIC"].mean().to_dict()
        {8.0: 0.5}
    """
    epsilons = sorted(epsilon for epsilon in scores["epsilon"].unique() if epsilon > 0)
    rows = []
    for _, of_image in scores.reset_index(drop=True).groupby("image", sort=True):
        for epsilon in epsilons:
            allowed = of_image[of_image["epsilon"] <= epsilon]
            rows.append(allowed.loc[allowed["DIC"].idxmin()].to_dict() | {"epsilon": epsilon})
    return pd.DataFrame(rows, columns=list(scores.columns))
