# SPDX-License-Identifier: Apache-2.0
"""Do attacks do as much to a picture as to its mirror image?"""

from __future__ import annotations

from .check import CheckResult
from .evidence import Evidence
from .probe import SOFT_DICE, descend, dic_of

__all__ = ["MirroredPictures"]

STEPS = 8
# the most that the clean DIC may differ for a comparison
ALIKE = 0.1
CLEARLY = 0.3


class MirroredPictures:
    """8 steps of soft Dice at the largest ε do about as much to pictures as to their mirror images.

    A network that knows the test pictures, by memory or from its training, resists on these alone. It is compared
    where the network segments mirror images about as well (clean DIC within .1). The value is how much more DIC is left
    on the pictures.

    Example:
        >>> MirroredPictures()(evidence).status
        'not applicable'
    """

    name = "mirrored pictures fall alike"

    def __call__(self, evidence: Evidence) -> CheckResult:
        attacked, epsilon = evidence.attacked, evidence.epsilons[-1]
        pairs = [
            (evidence.picture, evidence.label),
            (evidence.picture.flip(-1).contiguous(), evidence.label.flip(-1).contiguous()),
        ]
        clean, mirrored = (dic_of(attacked, picture, label).mean().item() for picture, label in pairs)
        if abs(clean - mirrored) > ALIKE:
            return CheckResult(
                self.name,
                "not applicable",
                None,
                f"The network does not segment mirror images as well (clean DIC {mirrored:.3f}, not {clean:.3f}).",
            )
        left, left_mirrored = (
            dic_of(attacked, descend(attacked, picture, label, epsilon, SOFT_DICE, STEPS), label).mean().item()
            for picture, label in pairs
        )
        gap = left - left_mirrored
        said = f"At ε = {epsilon:g} a short attack leaves DIC {left:.3f}, on mirror images {left_mirrored:.3f}"
        if gap < CLEARLY:
            return CheckResult(self.name, "passed", gap, f"{said}.")
        return CheckResult(
            self.name,
            "failed",
            gap,
            f"{said}: the network resists on the very pictures of this test, as if it knew them, and the figures hold "
            "for no others.",
        )
