# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from pipeline.figures import AttackedPicture, save_attack_panel, save_prediction_panel
from pipeline.utils import InputError

from .conditions import NETWORKS, Condition, in_order, network_title
from .drawn_figure import DrawnFigure, not_measured
from .statistics import by_condition

__all__ = ["draw_pictures"]

# the paper's choice
FIGURE_1_NETWORKS, FIGURE_1_EPSILON = ("slsdeep", "nwcn", "cdnn", "nlcen"), 16.0
FIGURE_6_EPSILON, FIGURE_6_ROWS = 32.0, 4

Saved = Mapping[str, Mapping[str, Path]]


def draw_pictures(
    table: pd.DataFrame, data: str, title: str, runs: Mapping[str, Path], folder: Path
) -> list[DrawnFigure]:
    """Draw pictures of one data set under attack: Figures 1 and 6 of the paper.

    Each network's pictures are those of the first seed that saved any. Where the paper's ε was not attacked, the
    largest is shown.

    Args:
        table: see ``check_results``.
        data: name of the data set.
        title: its title.
        runs: run folders by cell, whose ``adversarial`` folders hold what ``AdversarialEvaluation`` saved.
        folder: where to write.

    Returns:
        The figures; none if no run has saved pictures.

    Raises:
        InputError: if a file is damaged, or two networks attacked different pictures of the same name.
    """
    rows = by_condition(table[table["data"] == data])
    names = in_order([*NETWORKS, *(condition.network for condition in rows)])
    saved = {name: _saved(rows.get(Condition(data, name, name == "nlcen")), runs) for name in names}
    figures = []
    chosen, missing = _with_pictures(saved, FIGURE_1_NETWORKS)
    for image in _common(saved, chosen)[:1]:
        pictures, epsilon = _read_row(saved, chosen, image, FIGURE_1_EPSILON)
        files = save_attack_panel(pictures, epsilon, folder / f"figure_1_{data}")
        figures.append(DrawnFigure("pictures", _caption(1, [image], title, epsilon, missing), files))
    chosen, missing = _with_pictures(saved, names)
    images = _common(saved, chosen)[:FIGURE_6_ROWS]
    if images:
        panel = [_read_row(saved, chosen, image, FIGURE_6_EPSILON) for image in images]
        files = save_prediction_panel([pictures for pictures, _ in panel], folder / f"figure_6_{data}")
        figures.append(DrawnFigure("pictures", _caption(6, images, title, panel[0][1], missing), files))
    return figures


def _saved(rows: pd.DataFrame | None, runs: Mapping[str, Path]) -> dict[str, Path]:
    """Return files by image of the first seed that has any."""
    for cell in [] if rows is None else rows.sort_values("seed")["cell"].unique():
        if cell in runs:
            files = {path.stem: path for path in sorted((runs[cell] / "adversarial").glob("*.npz"))}
            if files:
                return files
    return {}


def _with_pictures(saved: Saved, names: Sequence[str]) -> tuple[list[str], list[str]]:
    return [name for name in names if saved[name]], [name for name in names if not saved[name]]


def _common(saved: Saved, names: Sequence[str]) -> list[str]:
    """Return the images that all the networks ``names`` have saved."""
    return sorted(set.intersection(*(set(saved[name]) for name in names))) if names else []


def _caption(number: int, images: Sequence[str], title: str, epsilon: float, missing: Sequence[str]) -> str:
    lacking = not_measured(map(network_title, missing))
    return f"Figure {number}: {', '.join(images)} of {title} under attack at ε = {epsilon:g}.{lacking}"


def _read_row(saved: Saved, names: Sequence[str], image: str, epsilon: float) -> tuple[list[AttackedPicture], float]:
    """Return one image under attack against each network, and the intensity, ``epsilon`` or the largest."""
    pictures, used = [], set()
    for name in names:
        path = saved[name][image]
        picture, own = _read(path, network_title(name), epsilon)
        pictures.append(picture)
        used.add(own)
        first = pictures[0]
        if not np.array_equal(picture.image, first.image) or not np.array_equal(picture.label, first.label):
            raise InputError(
                f"{path} and {saved[names[0]][image]} hold different pictures under one name; run both cells on the "
                "same data."
            )
        if len(used) > 1:
            raise InputError(
                f"{path} and {saved[names[0]][image]} were attacked at other intensities; run both cells with the same."
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
