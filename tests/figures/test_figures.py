# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from pipeline.figures import mean_scores, save_epsilon_curve, save_panel
from pipeline.figures.pictures import MAP, PREDICTED, TRUE

# rows of no particular order, as several processes may give them
TABLE = [
    {"image": image, "epsilon": epsilon, "DIC": dic, "JSC": dic / (2 - dic)}
    for epsilon in (8.0, 0.0, 0.5)
    for image, dic in zip("abcde", np.linspace(0.9, 0.5, 5) - epsilon / 20, strict=True)
]


def keep_figures(module: str, monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that a module makes, to look into after they are drawn."""
    figures: list[Figure] = []

    def make(*arguments: Any, **options: Any) -> Figure:
        figures.append(Figure(*arguments, **options))
        return figures[-1]

    monkeypatch.setattr(f"{module}.Figure", make)
    return figures


def assert_is_picture(path: Path) -> None:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("L"))
    assert min(pixels.shape) > 200 and pixels.std() > 5


def test_summarize() -> None:
    summary = mean_scores(TABLE)
    assert [row["epsilon"] for row in summary] == [0.0, 0.5, 8.0]
    assert [row["images"] for row in summary] == [5, 5, 5]
    assert [row["DIC"] for row in summary] == pytest.approx([0.7, 0.675, 0.3])
    clean = [0.9, 0.8, 0.7, 0.6, 0.5]
    assert summary[0]["JSC"] == pytest.approx(np.mean([dic / (2 - dic) for dic in clean]))
    assert mean_scores([]) == []


def test_epsilon_curve_shows_the_means_and_the_quartiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures("pipeline.figures.epsilon_curve", monkeypatch)
    save_epsilon_curve(TABLE, tmp_path / "curve.png", "NLCEN")
    assert_is_picture(tmp_path / "curve.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]
    (figure,) = figures
    assert figure.get_suptitle() == "NLCEN: mean of 5 images (band: interquartile range)"
    for axis, metric in zip(figure.axes, ("DIC", "JSC"), strict=True):
        (line,) = axis.lines
        assert line.get_xdata().tolist() == [0.0, 0.5, 8.0]
        assert line.get_ydata().tolist() == pytest.approx([row[metric] for row in mean_scores(TABLE)])
        assert axis.get_ylabel() == metric and axis.get_xlabel() == "ε (grey levels of 255)"
        (band,) = axis.collections
        corners = band.get_paths()[0].vertices
        at_zero = sorted({round(y, 6) for x, y in corners if x == 0.0})
        # by definition, of five images the second and the fourth
        assert at_zero == pytest.approx(sorted(row[metric] for row in TABLE if row["epsilon"] == 0)[1:4:2], abs=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_panel_shows_input_perturbation_attack_and_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    random = np.random.default_rng(0)
    epsilons = np.array([0.5, 1.0, 8.0])
    image = random.uniform(0, 255, (channels, 40, 32)).astype(np.float32)
    label = np.zeros((40, 32), np.uint8)
    label[10:30, 5:20] = 1
    prediction = np.stack([label, label, np.zeros_like(label), 1 - label])
    delta = (epsilons[:, None, None, None] * random.choice([-1, 1], (3, channels, 40, 32))).astype(np.float32)
    pictures = tmp_path / "a.npz"
    np.savez(pictures, image=image, label=label, epsilons=epsilons, delta=delta, prediction=prediction)
    figures = keep_figures("pipeline.figures.panel", monkeypatch)
    save_panel(pictures, tmp_path / "panel.png", title="NLCEN w/o NLCE, a")
    assert_is_picture(tmp_path / "panel.png")
    assert figures[0].get_suptitle() == "NLCEN w/o NLCE, a"
    axes = np.array(figures[0].axes).reshape(3, 3)
    assert [[axis.get_title() for axis in row] for row in axes.tolist()] == [
        ["input", "perturbation × 255,\n±0.5 of 255 grey levels", "perturbation × 16,\n±8 of 255 grey levels"],
        ["mask", "adversarial, ε = 0.5", "adversarial, ε = 8"],
        ["clean, DIC 1.000", "attacked, DIC 1.000", "attacked, DIC 0.000"],
    ]

    def shown(axis: Any, layer: int = 0) -> np.ndarray:
        return np.ma.getdata(axis.images[layer].get_array())

    def last(picture: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.moveaxis(picture, 0, -1), (40, 32, 3)) / 255

    assert np.allclose(shown(axes[0, 0]), last(image), atol=1e-6)
    assert np.array_equal(shown(axes[1, 0])[..., 0], label)
    for column, index in ((1, 0), (2, 2)):
        # grey is unchanged, black −ε, white +ε
        assert np.allclose(shown(axes[0, column]), last(127.5 + 127.5 * np.sign(delta[index])), atol=1e-6)
        attacked = np.clip(last(image + delta[index]), 0, 1)
        assert np.allclose(shown(axes[1, column]), attacked, atol=1e-6)
        assert np.allclose(shown(axes[2, column]), attacked, atol=1e-6)
        assert np.array_equal(shown(axes[2, column], 1), prediction[index + 1])
    assert np.allclose(shown(axes[2, 0]), last(image), atol=1e-6)
    assert np.array_equal(shown(axes[2, 0], 1), prediction[0])
    (predicted,) = {tuple(color) for color in axes[2, 0].images[1].to_rgba(prediction[0])[label == 1]}
    assert predicted[:3] == pytest.approx(to_rgb(PREDICTED))
    assert axes[2, 0].collections[0].get_edgecolor()[0][:3] == pytest.approx(to_rgb(TRUE))
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["predicted", "mask"]


def test_panel_of_an_empty_mask_and_unusual_intensities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = np.zeros((20, 20), np.uint8)
    image, epsilons = np.full((1, 20, 20), 100.0), np.array([3.0, 5.0])
    content = {"delta": np.zeros((2, 1, 20, 20)), "prediction": np.stack([empty] * 3), "epsilons": epsilons}
    np.savez(tmp_path / "a.npz", image=image, label=empty, **content)
    figures = keep_figures("pipeline.figures.panel", monkeypatch)
    save_panel(tmp_path / "a.npz", tmp_path / "panel.png")
    titles = [axis.get_title() for axis in figures[0].axes]
    assert titles[6:] == ["clean, DIC 1.000", "attacked, DIC 1.000", "attacked, DIC 1.000"]
    assert titles[1:3] == [
        "perturbation × 42,\n±3 of 255 grey levels",
        "perturbation × 26,\n±5 of 255 grey levels",
    ]


def test_panel_of_a_picture_that_was_attacked_at_its_original_resolution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = np.zeros((5, 4), np.uint8)
    label[1:4, 1:3] = 1
    content = {"delta": np.zeros((1, 1, 20, 16)), "prediction": np.stack([label, 1 - label])}
    np.savez(tmp_path / "a.npz", image=np.zeros((1, 20, 16)), label=label, epsilons=np.array([8.0]), **content)
    figures = keep_figures("pipeline.figures.panel", monkeypatch)
    save_panel(tmp_path / "a.npz", tmp_path / "panel.png")
    clean, attacked = figures[0].axes[4:]
    for axis, mask, title in ((clean, label, "clean, DIC 1.000"), (attacked, 1 - label, "attacked, DIC 0.000")):
        assert axis.get_title() == title
        assert np.array_equal(np.ma.getdata(axis.images[1].get_array()), np.kron(mask, np.ones((4, 4))))


def test_other_grey_levels_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures("pipeline.figures.epsilon_curve", monkeypatch)
    save_epsilon_curve(TABLE, tmp_path / "curve.png", "NLCEN", 255 / 4095)
    assert figures[0].axes[0].get_xlabel() == "ε (0.0623 grey levels of 255)"
    level, mask = 0.25, np.zeros((8, 8), np.uint8)
    delta = np.full((1, 1, 8, 8), 8 * level)
    content = {"delta": delta, "prediction": np.stack([mask] * 2), "epsilons": np.array([8.0])}
    np.savez(tmp_path / "a.npz", image=np.zeros((1, 8, 8)), label=mask, **content)
    figures = keep_figures("pipeline.figures.panel", monkeypatch)
    save_panel(tmp_path / "a.npz", tmp_path / "panel.png", level)
    axis = figures[0].axes[1]
    assert axis.get_title() == "perturbation × 64,\n±2 of 255 grey levels"
    assert np.allclose(np.asarray(axis.images[0].get_array()), 1.0)


def test_quartiles_between_two_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual definition (Hyndman and Fan's type 7), at the clean pictures alone too."""
    figures = keep_figures("pipeline.figures.epsilon_curve", monkeypatch)
    scores = [0.1, 0.2, 0.4, 0.8]
    rows = [{"image": str(dic), "epsilon": 0.0, "DIC": dic, "JSC": dic} for dic in scores]
    save_epsilon_curve(rows, tmp_path / "curve.png", "NLCEN")
    for axis in figures[0].axes:
        (band,) = axis.collections
        # a quarter and three quarters of the way from the first to the last
        assert band.get_segments()[0][:, 1] == pytest.approx([0.1 + 0.75 * 0.1, 0.4 + 0.25 * 0.4])


def test_a_panel_of_many_unusual_intensities_shows_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epsilons, mask = np.arange(1, 20, 2) / 3, np.zeros((8, 8), np.uint8)
    content = {"delta": np.zeros((10, 1, 8, 8)), "prediction": np.stack([mask] * 11), "epsilons": epsilons}
    np.savez(tmp_path / "a.npz", image=np.zeros((1, 8, 8)), label=mask, **content)
    figures = keep_figures("pipeline.figures.panel", monkeypatch)
    save_panel(tmp_path / "a.npz", tmp_path / "panel.png")
    titles = [axis.get_title() for axis in figures[0].axes[7:12]]
    assert titles == [f"adversarial, ε = {epsilons[index]:g}" for index in (0, 2, 4, 7, 9)]


NAME = "a network's own name (and a variant), " + "a_picture_without_spaces" * 4


@pytest.mark.parametrize("epsilons", [[2.0], [0.5, 2.0, 8.0, 16.0, 32.0]])
def test_no_text_of_a_panel_is_cut_off_or_overlaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epsilons: list[float]
) -> None:
    mask = np.eye(16, dtype=np.uint8)
    count = len(epsilons)
    content = {"delta": np.ones((count, 1, 16, 16)), "prediction": np.stack([mask] * (count + 1))}
    np.savez(tmp_path / "a.npz", image=np.zeros((1, 16, 16)), label=mask, epsilons=np.array(epsilons), **content)
    figures = keep_figures("pipeline.figures.panel", monkeypatch)
    save_panel(tmp_path / "a.npz", tmp_path / "panel.png", 255 / 4095, NAME)
    (figure,) = figures
    assert_texts_have_room(figure, [*figure.texts, *(axis.title for axis in figure.axes), *figure.legends])


def test_no_title_of_a_curve_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures("pipeline.figures.epsilon_curve", monkeypatch)
    save_epsilon_curve(TABLE, tmp_path / "curve.png", NAME)
    (figure,) = figures
    assert_texts_have_room(figure, [*figure.texts, *(axis.xaxis.label for axis in figure.axes)])


def assert_texts_have_room(figure: Figure, artists: list[Any]) -> None:
    """Each lies within the figure, and none on another."""
    for _ in range(2):  # as ``save_figure`` does
        figure.draw_without_rendering()
    boxes = [box for box in (artist.get_window_extent() for artist in artists) if box.width > 1]
    width, height = figure.canvas.get_width_height()
    for index, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_the_colors_of_a_map_are_told_apart_in_grey() -> None:
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    greys = sorted(float(weights @ to_rgb(color)) for color, _ in MAP.values())
    assert min(np.diff(greys)) > 0.2
