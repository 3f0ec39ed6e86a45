# SPDX-License-Identifier: Apache-2.0
"""Everything that was found about a network: what the report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.utils import InputError

from .checks import CheckResult

__all__ = ["MEASURED", "Assessment", "Criterion", "GalleryPicture"]

# the fact range_source where nobody has said which values are grey levels 0 and 255
MEASURED = "taken from the pictures"

# metrics of which more is better
BOUNDED = ("DIC", "JSC", "NSD")


@dataclass(frozen=True)
class Criterion:
    """An acceptance criterion, to be fixed beforehand: a metric in the worst case at an ε is at least a bound.

    Attributes:
        epsilon: the intensity; 0 is the clean picture.
        at_least: the bound.
        metric: DIC, JSC or NSD.
        share: part of the images that must reach the bound, above 0 and up to 1; None: their mean must.

    Raises:
        InputError: if a number is none, the share is out of its range, or the metric may have no bound from below.
    """

    epsilon: float
    at_least: float
    metric: str = "DIC"
    share: float | None = None

    def __post_init__(self) -> None:
        share = 1.0 if self.share is None else self.share
        for name, value in (("epsilon", self.epsilon), ("at_least", self.at_least), ("share", share)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InputError(f"criteria: '{name}' must be a number, got {value!r}.")
        if self.metric not in BOUNDED:
            raise InputError(f"criteria: 'metric' must be one of {', '.join(BOUNDED)}, got {self.metric!r}.")
        if not 0 < share <= 1:
            raise InputError(f"criteria: 'share' must be above 0 and at most 1, the part of the images, got {share!r}.")


@dataclass(frozen=True)
class GalleryPicture:
    """One failure as pictures: of a volume the slice with the largest part of the true mask.

    Attributes:
        image, epsilon, attack, DIC, clean_DIC: what is shown.
        picture, adversarial: (C, H, W) in grey levels of 0 to 255, C = 1 or 3.
        label, clean_prediction, prediction: class numbers (H, W); of overlapping labels the highest one.
    """

    image: str
    epsilon: float
    attack: str
    DIC: float
    clean_DIC: float
    picture: np.ndarray
    adversarial: np.ndarray
    label: np.ndarray
    clean_prediction: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True)
class Assessment:
    """What was found about a network.

    Attributes:
        scores: one row for each image, ε and attack, see ``pipeline.robustness.scores``.
        epsilons: the intensities that were attacked, rising.
        checks: what the checks found.
        corruptions: one row for each image, ``corruption``, ``severity`` (1 to 5): ``DIC``, ``JSC``.
        convergence: ``epsilon``, ``gradients`` (for each image so far at this ε), ``DIC`` (mean worst case then).
        floor: DIC of the best constant mask, of each image; None where there is none, ``floor_reason`` says why.
        ceiling: for each ε the mean DIC that no network can be above (an estimate); None where there is none.
        sameness: mean DIC between the clean predictions for different images (of one size): near 1 for a network that
            ignores its picture; None where it cannot be told. ``mask_sameness``: that between their true masks.
        criteria: acceptance criteria; may be empty.
        gallery: the worst failures.
        gradients: how many gradients were computed for an image at most; ``check_gradients``: those of the checks;
            ``queries``: forward passes of attacks without gradients.
        facts: strings and numbers by name: network, data, commit, budget, intensity_range, range_source ("stated",
            ``MEASURED`` …), measured_range (lowest and highest value of the pictures), classes, inferer (its name
            and settings), decision (how the output becomes a mask), preprocessing and postprocessing (names of the
            bundle's transforms; the latter are not applied), configuration_sha256 (a dict of its files), precision,
            seed, device, weights_sha256, network_sha256, data_sha256, command, date, versions (a dict), images (count),
            attacks (a dict from name to one sentence), corruptions_left_out (that do not apply to the pictures),
            corruptions_without_zero (that need a known zero), class_images (how many images have
            each class), title, description, tolerance (pixels, of NSD).
    """

    scores: pd.DataFrame
    epsilons: tuple[float, ...]
    checks: Sequence[CheckResult] = ()
    corruptions: pd.DataFrame = field(default_factory=pd.DataFrame)
    convergence: pd.DataFrame = field(default_factory=pd.DataFrame)
    floor: Mapping[str, float] | None = None
    floor_reason: str = ""
    ceiling: Mapping[float, float] | None = None
    ceiling_reason: str = ""
    sameness: float | None = None
    mask_sameness: float | None = None
    criteria: Sequence[Criterion] = ()
    gallery: Sequence[GalleryPicture] = ()
    gradients: int = 0
    check_gradients: int = 0
    queries: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
