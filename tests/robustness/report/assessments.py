# SPDX-License-Identifier: Apache-2.0
"""Assessments as networks of several kinds would leave them, from a formula: nothing was attacked."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pipeline.robustness import CLEAN, MEASURED, NOISE, Assessment, Criterion, GalleryPicture
from pipeline.robustness.checks import CheckResult
from pipeline.robustness.report import make_report

__all__ = [
    "all_empty",
    "constant",
    "erased_class",
    "leaking",
    "one_image",
    "report_of",
    "scores_of",
    "undefended",
    "volumes",
]

EPSILONS = (2.0, 8.0, 32.0)
Means = Mapping[str, tuple[float, ...]]


def scores_of(clean: float, attacks: Means, images: int = 12, spread: float = 0.03, seed: int = 0) -> pd.DataFrame:
    """A table of scores whose DIC lies around the means of each attack, one for each ε."""
    random = np.random.default_rng(seed)
    rows = []

    def add(image: int, epsilon: float, attack: str, mean: float) -> None:
        dic = float(np.clip(mean + spread * random.standard_normal(), 0, 1))
        empty = dic < 0.1
        distance = np.nan if empty else 40 * (1 - dic)
        surface = np.nan if empty else dic**2
        rows.append((f"image_{image:02d}", epsilon, attack, dic, dic / (2 - dic), distance, surface, min(epsilon, 1.0)))

    for image in range(images):
        add(image, 0.0, CLEAN, clean)
        for attack, means in attacks.items():
            for epsilon, mean in zip(EPSILONS, means, strict=True):
                add(image, epsilon, attack, mean)
    columns = ["image", "epsilon", "attack", "DIC", "JSC", "HD95", "NSD", "moved"]
    return pd.DataFrame(rows, columns=columns)


def undefended() -> Assessment:
    """An honest network without a defence, and everything that an assessment can hold."""
    means = {
        "paper": (0.93, 0.50, 0.20),
        "dice": (0.86, 0.10, 0.02),
        "shrink": (0.88, 0.14, 0.01),
        NOISE: (0.95, 0.94, 0.80),
    }
    scores = scores_of(0.955, means)
    return Assessment(
        scores=scores,
        epsilons=EPSILONS,
        checks=[
            CheckResult("forward passes agree", "passed", 0.0, "Two passes give the same."),
            CheckResult("attacks agree", "passed", -0.02, "No attack scores above the clean pictures."),
            CheckResult("pixels without gradient", "passed", 0.0123, "The gradient is there."),
            CheckResult("rescaled logits", "not applicable", None, "There are no logits."),
        ],
        corruptions=_corruptions(scores),
        convergence=_convergence(),
        floor=dict.fromkeys(scores["image"].unique(), 0.846),
        ceiling={2.0: 1.0, 8.0: 0.995, 32.0: 0.94},
        sameness=0.78,
        criteria=[
            Criterion(2.0, 0.8),
            Criterion(8.0, 0.7),
            Criterion(0.0, 0.85, "JSC"),
            Criterion(4.0, 0.7),
            Criterion(8.0, 0.3, share=0.875),
        ],
        gallery=[_failure("image_03", 8.0), _failure("image_07", 32.0, channels=3)],
        gradients=100,
        check_gradients=24,
        queries=50,
        facts={
            "network": "NLCEN",
            "data": "phantoms of chests",
            "commit": "c0ffee",
            "budget": "quick",
            "title": "NLCEN <b>on</b> phantoms",
            "description": "A network that finds both lungs.",
            "attacks": {
                "paper": "The paper's attack.",
                "dice": "Soft Dice, APGD.",
                "shrink": "Shrink only, Adam.",
                NOISE: "Uniform noise of the same size.",
            },
            "intensity_range": (0.0, 255.0),
            "range_source": "stated",
            "measured_range": (0.0, 250.0),
            "decision": "at each pixel the class with the highest output (argmax)",
            "postprocessing": ["AsDiscreted", "KeepLargestConnectedComponentd"],
            "classes": 2,
            "precision": "fp32",
            "seed": 0,
            "device": "cpu",
            "weights_sha256": "ab" * 32,
            "data_sha256": "cd" * 32,
            "command": "python -m monai.bundle run robustness --budget quick",
            "date": "2026-11-26",
            "versions": {"torch": "2.13.0", "monai": "1.6.1"},
            "images": np.int64(12),
            "tolerance": 2,
        },
    )


def leaking() -> Assessment:
    """Trained against the paper's loss alone: its attack raises DIC at ε = 8, another takes everything at 32."""
    means = {"paper": (0.936, 0.942, 0.905), "cross-entropy": (0.935, 0.94, 0.856), "dice": (0.92, 0.872, 0.21)}
    checks = [
        CheckResult("one step beats many", "failed", 0.03, "Masked gradients: a single step is stronger than forty."),
        CheckResult("attacks agree", "failed", 0.01, "The paper's attack scores above the clean pictures."),
    ]
    scores = scores_of(0.932, means, spread=0.002)
    floor = dict.fromkeys(scores["image"].unique(), 0.846)
    return Assessment(scores=scores, epsilons=EPSILONS, checks=checks, floor=floor, gradients=100)


def constant() -> Assessment:
    """A network that ignores its picture."""
    means = {"paper": (0.84, 0.84, 0.84), "dice": (0.84, 0.84, 0.84), NOISE: (0.84, 0.84, 0.84)}
    scores = scores_of(0.84, means, spread=0.0)
    floor = dict.fromkeys(scores["image"].unique(), 0.846)
    ceiling = {2.0: 1.0, 8.0: 0.995, 32.0: 0.94}
    return Assessment(scores=scores, epsilons=EPSILONS, floor=floor, ceiling=ceiling, sameness=0.999)


def volumes() -> Assessment:
    """Several classes in 3D, z-scored: no ceiling, the range from the pictures, an attack not tried everywhere."""
    means = {"margin": (0.6, 0.3, 0.06), "transfer": (0.7, 0.69, 0.6)}
    scores = scores_of(0.74, means, images=4)
    scores = scores[~((scores["attack"] == "transfer") & ((scores["epsilon"] == 2) | (scores["image"] == "image_01")))]
    return Assessment(
        scores=scores,
        epsilons=EPSILONS,
        floor=None,
        floor_reason="volumes have different sizes",
        ceiling_reason="there is none for volumes",
        gallery=[_failure("image_02", 8.0, classes=4)],
        facts={
            "range_source": MEASURED,
            "intensity_range": (-2.08932, 4.71956),
            "tolerance": float("inf"),
            "classes": 4,
            "corruptions_without_zero": ["shot noise", "overexposure"],
        },
    )


def erased_class() -> Assessment:
    """Three classes, of which the attack that is worst in the mean erases the last at ε = 8, and another the first."""
    scores = scores_of(0.9, {"paper": (0.88, 0.8, 0.4), "dice": (0.87, 0.6, 0.3), NOISE: (0.9, 0.9, 0.8)}, spread=0.01)
    first = {("paper", 8.0): -0.75, ("dice", 8.0): 0.3, ("dice", 32.0): 0.2}
    shift = [first.get(key, 0.0) for key in zip(scores["attack"], scores["epsilon"], strict=True)]
    scores["DIC_1"], scores["DIC_2"], scores["DIC_3"] = scores["DIC"] + shift, scores["DIC"], scores["DIC"] - shift
    return Assessment(scores=scores, epsilons=EPSILONS, facts={"class_images": [12, 12, 7]})


def one_image() -> Assessment:
    scores = scores_of(0.9, {"paper": (0.8, 0.5, 0.2)}, images=1)
    return Assessment(scores=scores, epsilons=EPSILONS)


def all_empty() -> Assessment:
    """No HD95 and NSD anywhere, and one image whose DIC is not defined."""
    scores = scores_of(0.9, {"paper": (0.8, 0.5, 0.2)}, images=3)
    scores[["HD95", "NSD"]] = np.nan
    scores.loc[scores["image"] == "image_02", ["DIC", "JSC"]] = np.nan
    return replace(one_image(), scores=scores)


def report_of(name: str) -> dict[str, Any]:
    """The report of one of these assessments, to do with what one likes."""
    return deepcopy(_report(name))


@cache
def _report(name: str) -> dict[str, Any]:
    return make_report(globals()[name]())


def _corruptions(scores: pd.DataFrame) -> pd.DataFrame:
    slopes = {"noise": 0.01, "exposure": 0.02, "blur": 0.15, "JPEG": 0.005}
    rows = []
    for name, slope in slopes.items():
        for severity in range(1, 6):
            for image in scores["image"].unique():
                dic = 0.955 - slope * severity
                rows.append((image, name, severity, dic, dic / (2 - dic)))
    return pd.DataFrame(rows, columns=["image", "corruption", "severity", "DIC", "JSC"])


def _convergence() -> pd.DataFrame:
    rows = [(2.0, 10, 0.9), (2.0, 20, 0.86), (2.0, 40, 0.855), (8.0, 10, 0.4), (8.0, 20, 0.2), (8.0, 40, 0.1)]
    return pd.DataFrame(rows, columns=["epsilon", "gradients", "DIC"])


def _failure(image: str, epsilon: float, channels: int = 1, classes: int = 2, size: int = 64) -> GalleryPicture:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, : size + 16]
    label = np.zeros((size, size + 16), dtype=int)
    for number in range(1, classes):
        label[(y - size / 2) ** 2 + (x - 20 * number) ** 2 < 100] = number
    picture = np.stack([60.0 + 100 * (label > 0) + x / 2] * channels)
    delta = epsilon * random.choice([-1.0, 1.0], picture.shape)
    clean = np.roll(label, 1, 0)
    attacked = np.where(x < size / 2, 0, label)
    return GalleryPicture(image, epsilon, "dice", 0.07, 0.93, picture, picture + delta, label, clean, attacked)
