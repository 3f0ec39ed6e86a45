# SPDX-License-Identifier: Apache-2.0
"""How much each corruption does at the severities 1 to 5, and where these numbers come from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SEVERITIES", "Severities"]

# medmnistc (Di Salvo et al., arXiv 2406.17536, Apache-2.0): tables for 224×224 pictures of each set of MedMNIST
CHEST_AND_SKIN = "medmnistc, ChestMNIST and DermaMNIST"
CHEST = "medmnistc, ChestMNIST"
SKIN = "medmnistc, DermaMNIST"
OWN = "chosen here"


@dataclass(frozen=True)
class Severities:
    """The numbers of a corruption at the severities 1 to 5, what they are, and their source."""

    values: tuple[float, float, float, float, float]
    meaning: str
    source: str


SEVERITIES = {
    "gaussian noise": Severities((0.04, 0.08, 0.12, 0.18, 0.26), "σ, part of 255", CHEST_AND_SKIN),
    "speckle noise": Severities((0.05, 0.15, 0.2, 0.35, 0.45), "σ, part of the grey level", CHEST_AND_SKIN),
    "shot noise": Severities((60, 25, 18, 10, 5), "quanta at 255", CHEST_AND_SKIN),
    "overexposure": Severities((1.1, 1.2, 1.3, 1.4, 1.5), "factor of the grey levels", CHEST_AND_SKIN),
    "underexposure": Severities((0.9, 0.8, 0.7, 0.6, 0.5), "factor of the grey levels", CHEST_AND_SKIN),
    "high contrast": Severities((1.1, 1.2, 1.3, 1.4, 1.6), "factor of the distance to the mean", CHEST_AND_SKIN),
    "low contrast": Severities((0.9, 0.8, 0.7, 0.6, 0.4), "factor of the distance to the mean", CHEST),
    # there as kernel sizes of 3 to 11 pixels, of which torchvision makes these σ
    "blur": Severities((0.8, 1.1, 1.4, 1.7, 2.0), "σ in pixels", CHEST),
    "JPEG": Severities((50, 30, 15, 10, 7), "Pillow's quality", CHEST),
    # ChestMNIST has 0.3 to 0.1, at which a lung's outline is gone
    "low resolution": Severities((0.7, 0.5, 0.4, 0.3, 0.25), "factor of the size", SKIN),
    "rotation": Severities((2, 5, 10, 15, 20), "degrees", OWN),
}
