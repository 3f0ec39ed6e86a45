# SPDX-License-Identifier: Apache-2.0
"""What the runs behind one curve have in common, and what it is called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from experiments.matrix import DEFENCE, WORST_CASE, network_name

__all__ = [
    "CONDITION",
    "FULL_STAGE",
    "LAST_STAGE",
    "METRICS",
    "PART_STAGES",
    "SCRATCH_STAGES",
    "STAGES",
    "UNET_UNCHANGED",
    "Condition",
    "by_condition",
    "claim_trios",
    "distinct_titles",
    "stage_title",
    "without_nlce",
]

METRICS = ("DIC", "JSC")
CONDITION = ["data", "network", "nlce", "stage", "variant", "reading"]

# the ablation's trained stages, of which one that is not named here goes by its own name; its start, "w/o NLCE", is the
# network nlcen without NLCE of the main recipe
STAGES = {
    "scratch_without_nl": "w/o NL, from scratch",
    "scratch_without_ce": "w/o CE, from scratch",
    "without_nl": "w/o NL",
    "without_ce": "w/o CE",
    "frozen": "NLCEN",
    "fine_tuned": "fine-tuned",
}
SCRATCH_STAGES = ("scratch_without_nl", "scratch_without_ce")  # compared with NLCEN of the main recipe, as long trained
PART_STAGES, FULL_STAGE, LAST_STAGE = ("without_nl", "without_ce"), "frozen", "fine_tuned"

READINGS = {
    "twelve_bit": "ε in levels of 12 bits",
    "after_normalization": "added after normalization, ε in 1/255 of a standard deviation",
    "original_resolution": "added before resizing",
    "batch_statistics": "batch normalization in training mode",
    "all_outputs": "summed loss of all five outputs",
    "eight_bit": "saved as 8-bit pictures",
    "transfer": "made on another network",
    "probabilities": "loss of probabilities",
    "unbounded": "no clip to 0 to 255",
    WORST_CASE: "worst case of the battery",
    f"{DEFENCE}mixed": "trained against several losses",
    f"{DEFENCE}naive": "trained against the paper's loss",
    "scaled_attention": "NLCE with 1/√d",
    "w_z_random": "W_z not zero at the start",
}

# readings that are the paper's attack for UNet: it has one output and no batch normalization
UNET_UNCHANGED = ("batch_statistics", "all_outputs")


@dataclass(frozen=True)
class Condition:
    """What the runs behind one curve have in common: all that a row of the results tells but seed, ε and image.

    Args:
        data: name of the data set, such as ``jsrt``.
        network: name of the network, such as ``unet``.
        nlce: whether it has NLCE modules.
        stage: stage of the ablation; empty for the paper's main recipe.
        variant: another way of training; empty for the paper's main recipe.
        reading: another reading of the attack; empty for the paper's as we read it.
        called: what the bundle calls the network, no part of what makes two conditions equal.
    """

    data: str
    network: str
    nlce: bool
    stage: str = ""
    variant: str = ""
    reading: str = ""
    called: str = field(default="", compare=False)

    @property
    def title(self) -> str:
        """Name of the curve, without its data set."""
        name = f"ablation: {stage_title(self.stage)}" if self.stage else self.called or self.network
        return f"{name}, {self.reading_title}" if self.is_read_otherwise else name

    @property
    def is_read_otherwise(self) -> bool:
        """Whether training or attack are others than in the main recipe."""
        return bool(self.variant or self.reading)

    @property
    def reading_title(self) -> str:
        """What is read otherwise, in words."""
        keys = [key for key in (self.variant, self.reading) if key]
        return ", ".join(READINGS.get(key, key.replace("_", " ")) for key in keys) or "the paper's attack"


def by_condition(table: pd.DataFrame) -> dict[Condition, pd.DataFrame]:
    """Return the rows of ``table`` under each condition, in the order of their first rows."""
    groups = table.groupby(CONDITION, sort=False)
    conditions = ((dict(zip(CONDITION, key, strict=True)), rows) for key, rows in groups)
    return {Condition(**labels, called=rows["title"].iloc[0]): rows for labels, rows in conditions}


def distinct_titles(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose ``title`` names one network of a data set alone.

    The bundle names a network by its class. Where two of a data set have the same, the matrix's names of the networks
    are added: "UNet (unet)" and "UNet (wide)".
    """
    labels = ["data", "title", "network", "nlce"]
    # a stage of the ablation goes by its own name
    is_named = table["stage"] == ""
    networks = table.loc[is_named, labels].drop_duplicates()
    networks = networks[networks.duplicated(["data", "title"], keep=False)]
    added = {key: f" ({network_name(*key[2:])})" for key in networks.itertuples(index=False, name=None)}
    keys = table[labels].itertuples(index=False, name=None)
    ends = [added.get(key, "") if named else "" for key, named in zip(keys, is_named, strict=True)]
    return table.assign(title=table["title"] + ends)


def stage_title(stage: str) -> str:
    """Return the name of a stage of the ablation as people write it."""
    return STAGES.get(stage, stage.replace("_", " "))


def without_nlce(first: Condition, network: str) -> Condition:
    """Return ``network`` without NLCE under the attack of ``first``, a network with NLCE.

    It is one of the main recipe, since a stage or another training of NLCE leaves networks without it as they are, or
    one that was trained to resist as ``first`` was.
    """
    unchanged = network == "unet" and first.reading in UNET_UNCHANGED
    variant = first.variant if first.variant.startswith(DEFENCE) else ""
    return Condition(first.data, network, False, variant=variant, reading="" if unchanged else first.reading)


def claim_trios(data: str, there: Iterable[Condition]) -> list[tuple[Condition, Condition, Condition]]:
    """Return NLCEN, NLCEN without NLCE and UNet under the paper's attack and each other reading that is ``there``.

    The list is empty if there is no other reading.
    """
    keys = dict.fromkeys((condition.variant, condition.reading) for condition in there)
    keys.pop(("", ""), None)
    firsts = [
        Condition(data, "nlcen", True, variant=variant, reading=reading) for variant, reading in [("", ""), *keys]
    ]
    return [(first, without_nlce(first, "nlcen"), without_nlce(first, "unet")) for first in firsts] if keys else []
