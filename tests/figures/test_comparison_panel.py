# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from pipeline.figures import AttackedPicture, save_attack_panel, save_prediction_panel
from pipeline.figures.pictures import PREDICTED, TRUE

from .test_figures import assert_texts_have_room, keep_figures

MODULE = "pipeline.figures.comparison_panel"
WHITE, FALSE, MISSED, BLACK = ((1, 1, 1), to_rgb(PREDICTED), to_rgb(TRUE), (0, 0, 0))


def picture(title: str, channels: int = 1, seed: int = 0) -> AttackedPicture:
    random = np.random.default_rng(seed)
    label = np.zeros((24, 20), np.uint8)
    label[6:18, 5:15] = 1
    adversarial = np.zeros_like(label)
    adversarial[12:24, 5:15] = 1
    return AttackedPicture(
        title=title,
        image=random.uniform(0, 255, (channels, 24, 20)).astype(np.float32),
        label=label,
        delta=(16 * random.choice([-1, 0, 1], (channels, 24, 20))).astype(np.float32),
        adversarial=adversarial,
        clean=label,
    )


def shown(axis: Any) -> np.ndarray:
    (image,) = axis.images
    return np.ma.getdata(image.get_array())


def as_shown(levels: np.ndarray) -> np.ndarray:
    return np.clip(np.moveaxis(np.broadcast_to(levels, (3, 24, 20)), 0, -1) / 255, 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_attack_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int) -> None:
    figures = keep_figures(MODULE, monkeypatch)
    pictures = [picture(name, channels) for name in ("SLSDeep", "CDNN", "NLCEN")]
    files = save_attack_panel(pictures, 16.0, tmp_path / "figure_1")
    assert files == [tmp_path / "figure_1.png", tmp_path / "figure_1.pdf"]
    assert all(file.stat().st_size > 1000 for file in files)
    axes = np.array(figures[0].axes).reshape(5, 3)
    assert [axis.get_title() for axis in axes[0]] == ["input", "ground truth", ""]
    assert [axis.get_title() for axis in axes[1]] == ["SLSDeep", "CDNN", "NLCEN"]
    first = pictures[0]
    assert np.allclose(shown(axes[0, 0]), as_shown(first.image), atol=1e-6)
    assert np.array_equal(shown(axes[0, 1])[..., 0], first.label)
    assert not axes[0, 2].images
    for column in range(3):
        # grey is unchanged, black −ε, white +ε
        assert np.allclose(shown(axes[1, column]), as_shown(127.5 + 127.5 * np.sign(first.delta)), atol=1e-6)
        assert np.allclose(shown(axes[2, column]), as_shown(first.image + first.delta), atol=1e-6)
        assert [text.get_text() for text in axes[3, column].texts][:1] == ["DIC 0.500"]
        assert [text.get_text() for text in axes[4, column].texts][:1] == ["DIC 1.000"]
    map_ = shown(axes[3, 0])
    for row, color in ((2, BLACK), (8, MISSED), (15, WHITE), (20, FALSE)):
        assert map_[row, 10] == pytest.approx(color)
    assert set(map(tuple, shown(axes[4, 0]).reshape(-1, 3))) == {WHITE, BLACK}
    labels = [axes[row, 0].texts[-1].get_text() for row in range(1, 5)]
    assert labels == [
        "perturbation\n−16 black, +16 white",
        "adversarial,\nε = 16",
        "prediction,\nε = 16",
        "prediction,\nclean",
    ]
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "predicted and true",
        "predicted, not true",
        "true, not predicted",
        "neither",
    ]


def test_attack_panel_of_one_network_and_an_empty_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures(MODULE, monkeypatch)
    empty = np.zeros((24, 20), np.uint8)
    lone = AttackedPicture("NLCEN", np.full((1, 24, 20), 9.0), empty, np.zeros((1, 24, 20)), empty + 1, empty)
    save_attack_panel([lone], 0.5, tmp_path / "figure")
    axes = np.array(figures[0].axes).reshape(5, 2)
    assert axes[1, 0].texts[-1].get_text() == "perturbation\n−0.5 black, +0.5 white"
    assert [axes[row, 0].texts[0].get_text() for row in (3, 4)] == ["DIC 0.000", "DIC 1.000"]
    save_prediction_panel([[lone]], tmp_path / "other")
    assert not figures[1].axes[0].collections


def test_prediction_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures(MODULE, monkeypatch)
    rows = [[picture(name, seed=seed) for name in ("UNet", "NLCEN")] for seed in (1, 2)]
    files = save_prediction_panel(rows, tmp_path / "figure_6")
    assert [file.name for file in files] == ["figure_6.png", "figure_6.pdf"]
    axes = np.array(figures[0].axes).reshape(2, 3)
    assert [[axis.get_title() for axis in row] for row in axes] == [["input", "UNet", "NLCEN"], ["", "", ""]]
    for row in range(2):
        assert np.allclose(shown(axes[row, 0]), as_shown(rows[row][0].image), atol=1e-6)
        # the outline of the mask
        (outline,) = axes[row, 0].collections
        box = outline.get_paths()[0].get_extents()
        assert (box.x0, box.x1, box.y0, box.y1) == (4.5, 14.5, 5.5, 17.5)
        for column in (1, 2):
            assert shown(axes[row, column])[8, 10] == pytest.approx(MISSED)
            assert [text.get_text() for text in axes[row, column].texts] == ["DIC 0.500"]


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    files = [save_prediction_panel([[picture("NLCEN")]], tmp_path / name / "figure") for name in ("a", "b")]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]


@pytest.mark.parametrize("count", [1, 3, 6])
def test_no_text_is_cut_off_or_overlaps(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    figures = keep_figures(MODULE, monkeypatch)
    monkeypatch.setattr(f"{MODULE}.save_figure", lambda figure, stem: [])
    pictures = [picture("a network of a long name")] * count
    save_attack_panel(pictures, 16.0, "figure_1")
    save_prediction_panel([pictures], "figure_6")
    for figure in figures:
        texts = [text for axis in figure.axes for text in (axis.title, *axis.texts)]
        assert_texts_have_room(figure, [*texts, *figure.legends])
