# SPDX-License-Identifier: Apache-2.0
"""Draws pictures under attack: the paper's Figures 1 and 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from pipeline.figures import AttackedPicture, save_attack_panel, save_prediction_panel
from pipeline.utils import InputError, named_by

from .condition import Condition, by_condition
from .drawn_figure import DrawnFigure
from .paper_sets import ReportedData

__all__ = ["draw_pictures"]

# the paper's choice
FIGURE_1_NETWORKS, FIGURE_1_EPSILON = ("slsdeep", "nwcn", "cdnn", "nlcen"), 16.0
FIGURE_6_EPSILON, FIGURE_6_ROWS = 32.0, 4

Files = Mapping[str, Path]  # by image


def draw_pictures(table: pd.DataFrame, data: ReportedData, runs: Mapping[str, Path], folder: Path) -> list[DrawnFigure]:
    """Draw pictures of one data set under attack.

    The pictures of a figure are of the first seed of which all its networks have saved any, or else of each network's
    first. Where the paper's ε was not attacked, the largest is shown.

    Args:
        table: see ``check_results``.
        data: the data set.
        runs: run folders by cell, whose ``adversarial`` folders hold what ``AdversarialEvaluation`` saved.
        folder: where to write.

    Returns:
        The figures; none if no run has saved pictures.

    Raises:
        InputError: if a file is damaged, or two networks attacked different pictures of the same name.
    """
    rows = by_condition(table[table["data"] == data.name])
    saved = {
        key: _saved(own, runs)
        for key, own in rows.items()
        if not (key.stage or key.is_read_otherwise) and key.nlce == (key.network == "nlcen")
        if _saved(own, runs)
    }
    figures = []
    chosen, seeds = _choose({key: own for key, own in saved.items() if key.network in FIGURE_1_NETWORKS})
    for image in _common(chosen)[:1]:
        pictures, epsilon = _read_row(chosen, image, FIGURE_1_EPSILON)
        files = save_attack_panel(pictures, epsilon, folder / data.figure_stem("attack"))
        caption = data.figure_title("attack", _caption([image], data.title, epsilon, seeds))
        figures.append(DrawnFigure("pictures", f"{caption}.", files))
    chosen, seeds = _choose(saved)
    images = _common(chosen)[:FIGURE_6_ROWS]
    if images:
        panel = [_read_row(chosen, image, FIGURE_6_EPSILON) for image in images]
        stem = folder / data.figure_stem("predictions")
        files = save_prediction_panel([pictures for pictures, _ in panel], stem)
        caption = data.figure_title("predictions", _caption(images, data.title, panel[0][1], seeds))
        figures.append(DrawnFigure("pictures", f"{caption}.", files))
    return figures


def _saved(rows: pd.DataFrame, runs: Mapping[str, Path]) -> dict[int, Files]:
    """Return files by seed and image, of the seeds that have any."""
    saved: dict[int, Files] = {}
    for seed, cell in rows[["seed", "cell"]].drop_duplicates().itertuples(index=False):
        files = sorted((runs[cell] / "adversarial").glob("*.npz")) if cell in runs else []
        if files:
            saved[seed] = {named_by(path.stem): path for path in files}
    return saved


def _choose(saved: Mapping[Condition, Mapping[int, Files]]) -> tuple[dict[Condition, Files], str]:
    """Return the files of each network, of one seed if they share one, and which seeds these are."""
    shared = set.intersection(*(set(own) for own in saved.values())) if saved else set()
    first = {key: min(shared or own) for key, own in saved.items()}
    each = ", ".join(f"{key.title} {seed}" for key, seed in first.items())
    said = f"training seed {min(shared)}" if shared else f"no common training seed ({each})"
    return {key: saved[key][seed] for key, seed in first.items()}, said


def _common(chosen: Mapping[Condition, Files]) -> list[str]:
    """Return the images that all the networks have saved."""
    return sorted(set.intersection(*(set(files) for files in chosen.values()))) if chosen else []


def _caption(images: Sequence[str], title: str, epsilon: float, seeds: str) -> str:
    return f"attack at ε = {epsilon:g}, {seeds}, on {', '.join(images)} of {title}"


def _read_row(chosen: Mapping[Condition, Files], image: str, epsilon: float) -> tuple[list[AttackedPicture], float]:
    """Return one image under attack against each network, and the intensity, ``epsilon`` or the largest."""
    pictures, used = [], set()
    first_path = next(iter(chosen.values()))[image]
    for key, files in chosen.items():
        path = files[image]
        picture, own = _read(path, key.title, epsilon)
        pictures.append(picture)
        used.add(own)
        first = pictures[0]
        # not to the bit: resizing may round otherwise on another machine
        same = picture.image.shape == first.image.shape and np.abs(picture.image - first.image).max() < 0.5
        if not same or not np.array_equal(picture.label, first.label):
            raise InputError(
                f"{path} and {first_path} hold different pictures under one name; run both cells on the same data."
            )
        if len(used) > 1:
            raise InputError(
                f"{path} and {first_path} were attacked at other intensities; run both cells with the same."
            )
    return pictures, used.pop()


def _read(path: Path, title: str, epsilon: float) -> tuple[AttackedPicture, float]:
    try:
        with np.load(path) as content:
            epsilons = content["epsilons"].tolist()
            used = epsilon if epsilon in epsilons else max(epsilons)
            index = epsilons.index(used)
            picture = AttackedPicture(
                title=title,
                image=content["image"],
                label=content["label"],
                delta=content["delta"][index],
                adversarial=content["prediction"][index + 1],
                clean=content["prediction"][0],
            )
    except (OSError, ValueError, LookupError, EOFError, BadZipFile) as error:
        raise InputError(f"{path} is no file of adversarial pictures, or is damaged; run its cell again.") from error
    return picture, used
