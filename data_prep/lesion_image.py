# SPDX-License-Identifier: Apache-2.0
"""Phantoms of dermoscopy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, gaussian_filter, label

from .fields import Field, Random, curve, noise, step

__all__ = ["make_lesion"]

# skin as the camera shows it: pink, beige, tan, pale, grey, bluish, red
SKINS = np.array(
    [
        [0.93, 0.79, 0.77],
        [0.86, 0.79, 0.66],
        [0.82, 0.62, 0.48],
        [0.95, 0.92, 0.84],
        [0.70, 0.64, 0.59],
        [0.66, 0.70, 0.85],
        [0.88, 0.53, 0.46],
    ]
)
# what a layer of pigment takes from red, green and blue: light brown, dark brown, black, blue-grey, red
PIGMENTS = np.array([[0.4, 0.95, 1.5], [0.65, 1.15, 1.4], [1.1, 1.25, 1.3], [1.2, 1.0, 0.75], [0.2, 0.9, 0.75]])
CHIPS = np.array([[0.05, 0.5, 0.8], [0.95, 0.5, 0.1], [0.5, 0.75, 0.7], [0.95, 0.45, 0.35], [0.8, 0.78, 0.75]])


def make_lesion(seed: int, index: int, size: int = 256) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draw an invented dermoscopy of a pigmented lesion, and its exact mask.

    One lesion of varying size, outline, color, network, globules and contrast, on skin of varying tone and texture
    with freckles; over it hairs, gel bubbles, a ruler, a color chip; in a picture of varying light and color, some with
    black corners. The lesion may reach out of the picture. What hairs and bubbles cover belongs to it.

    Args:
        seed: of the set.
        index: of the picture in the set.
        size: rows and columns.

    Returns:
        picture, uint8 (size, size, 3), and mask (0 or 255), uint8 (size, size). The same arguments give the same
        arrays.
    """
    random = np.random.default_rng([seed, index])
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    lesion = _outline(random, x, y)
    field = _field_of_view(random, x, y)
    inside = _largest_part((lesion.depth > 0) & (field > 0.5))
    # layers of pigment multiply: skin, freckles, lesion
    picture = _skin(random, x, y) * np.exp(-_pigment(random, x, y, lesion))
    _add_chip(random, picture, x, y, lesion)
    _add_hairs(random, picture)
    _add_bubbles(random, picture, x, y)
    _add_ruler(random, picture, x, y)
    picture = _expose(random, picture, x, y) * field[..., None]
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8), np.where(inside, 255, 0).astype(np.uint8)


@dataclass
class _Lesion:
    depth: Field  # signed, 0 at the border, in half widths of the picture
    radius: float
    row: float
    column: float


def _outline(random: Random, x: Field, y: Field) -> _Lesion:
    size = len(x)
    radius = float(np.clip(np.exp(random.normal(np.log(0.7), 0.4)), 0.2, 1.1))
    column, row = np.clip(random.normal(0, 0.2, 2), -0.5, 0.5)
    if random.random() < 0.1:
        column += random.choice([-0.4, 0.4])
    turn, flat = random.uniform(0, np.pi), random.uniform(0.6, 1)
    u, v = x - column, y - row
    along, across = np.cos(turn) * u + np.sin(turn) * v, (np.cos(turn) * v - np.sin(turn) * u) / flat
    angle = np.arctan2(across, along)
    border = np.ones_like(x)
    irregular = random.uniform(0.02, 0.16)
    for wave in range(2, 9):
        border += random.normal(0, irregular / wave**0.7) * np.cos(wave * angle + random.uniform(0, 2 * np.pi))
    if random.random() < 0.25:
        # streaks: fingers that reach out of a part of the border
        fingers = np.clip(np.cos(int(random.integers(18, 34)) * angle + noise(random, size, 4)), 0, 1)
        border += random.uniform(0.05, 0.13) * fingers * step(np.cos(angle - random.uniform(0, 2 * np.pi)), 0.3)
    depth = (border - np.hypot(along, across) / radius) * radius
    for cells, height in ((7, random.uniform(0.01, 0.06)), (24, random.uniform(0.002, 0.03))):
        depth = depth + height * noise(random, size, min(cells, size // 3))
    return _Lesion(depth, radius, float(row), float(column))


def _largest_part(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    parts, _ = label(inside)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    filled: npt.NDArray[np.bool_] = binary_fill_holes(parts == sizes.argmax())
    return filled


def _field_of_view(random: Random, x: Field, y: Field) -> Field:
    """1 where the instrument lets light through: everything, all but the corners, or a circle."""
    kind = random.random()
    radius = random.uniform(0.9, 1.05) if kind < 0.06 else random.uniform(1.15, 1.35)
    distance = np.hypot(x - random.normal(0, 0.03), y - random.normal(0, 0.03))
    edge = random.uniform(0.01, 0.04)
    return step(radius - distance, edge) if kind < 0.3 else np.ones_like(x)


def _skin(random: Random, x: Field, y: Field) -> Field:
    size = len(x)
    tone = SKINS[random.integers(len(SKINS))] + random.normal(0, 0.03, 3)
    blush = noise(random, size, 3)[..., None] * random.uniform(0.01, 0.05) * np.array([0.3, 1, 1])
    folds = _ridges(random, size, min(size // 5, int(random.integers(24, 50))), 0.3)
    texture = 0.02 * noise(random, size, size // 6) + random.uniform(0, 0.04) * folds
    return tone - blush + texture[..., None]


def _ridges(random: Random, size: int, cells: int, width: float) -> Field:
    """A net of bright lines, about ``cells`` meshes along an edge."""
    return np.exp(-((noise(random, size, cells) / width) ** 2))


def _pigment(random: Random, x: Field, y: Field, lesion: _Lesion) -> Field:
    """Optical density (rows, columns, 3) of the lesion and of freckles around it."""
    size = len(x)
    depth = lesion.depth
    soft = step(depth - random.uniform(0, 0.05), random.uniform(0.006, 0.06))
    strength = random.choice([random.uniform(0.2, 0.4), random.uniform(0.4, 1.3)], p=[0.25, 0.75])
    variety = random.uniform(0.1, 0.5)
    coarse, fine = noise(random, size, int(random.integers(4, 9))), noise(random, size, min(size // 5, 30))
    amount = 1 + variety * (coarse + 0.7 * fine)
    # darker or paler towards the center
    amount = amount + random.uniform(-0.6, 0.8) * np.clip(depth / lesion.radius, 0, 1)
    if random.random() < 0.5:
        mesh = min(size // 5, int(random.integers(34, 60)))
        amount = amount + random.uniform(0.2, 0.6) * (_ridges(random, size, mesh, 0.5) - 0.5)
    if random.random() < 0.5:
        amount = amount + random.uniform(0.4, 1.2) * _dots(random, size, int(random.integers(30, 200)))
    density = (strength * np.clip(amount, 0.15, 3) * soft)[..., None] * _mixture(random, size)
    freckles = _dots(random, size, int(random.choice([0, 4, 12, 30]))) * random.uniform(0.1, 0.5)
    return density + freckles[..., None] * PIGMENTS[0]


def _mixture(random: Random, size: int) -> Field:
    """Pigment (rows, columns, 3), one or two of them in patches."""
    first = PIGMENTS[random.choice(5, p=[0.35, 0.35, 0.1, 0.08, 0.12])]
    second = PIGMENTS[random.integers(5)]
    patches = step(noise(random, size, 4) - random.uniform(0, 2.5), 0.3)[..., None]
    return first * (1 - patches) + second * patches


def _dots(random: Random, size: int, count: int) -> Field:
    """Round spots at random places, each 1 at its center."""
    spots = np.zeros((size, size), dtype=np.float32)
    spots[random.integers(0, size, count), random.integers(0, size, count)] = 1
    sigma = size / 256 * random.uniform(1.2, 3.5)
    return np.clip(gaussian_filter(spots, sigma) * (2 * np.pi * sigma**2), 0, 1.5)


def _add_chip(random: Random, picture: Field, x: Field, y: Field, lesion: _Lesion) -> None:
    """A colored disc at the edge opposite the lesion, as they lie in pictures of children's skin."""
    if random.random() > 0.15 or lesion.radius > 0.6:
        return
    angle = np.arctan2(-lesion.row, -lesion.column) + random.normal(0, 0.4)
    far = random.uniform(1.2, 1.5)
    distance = np.hypot(x - far * np.cos(angle), y - far * np.sin(angle))
    disc = (step(random.uniform(0.35, 0.6) - distance, 0.008) * (lesion.depth < -0.03))[..., None]
    color = CHIPS[random.integers(len(CHIPS))] + 0.03 * noise(random, len(x), len(x) // 4)[..., None]
    picture[...] = picture * (1 - disc) + color * disc


def _add_hairs(random: Random, picture: Field) -> None:
    size = len(picture)
    count = int(random.choice([0, int(random.integers(1, 8)), int(random.integers(10, 45))], p=[0.45, 0.35, 0.2]))
    lean = random.uniform(0, 2 * np.pi)
    drawn = np.zeros((size, size), dtype=np.float32)
    for _ in range(count):
        angle = lean + random.normal(0, 0.6)
        reach = np.linspace(0, random.uniform(0.3, 1.2), 4)[:, None] * [np.sin(angle), np.cos(angle)]
        drawn = np.maximum(drawn, curve(random.uniform(-0.2, 1, 2) + reach + random.normal(0, 0.05, (4, 2)), size))
    width = size / 256 * random.uniform(0.4, 0.8)
    shade = np.clip(gaussian_filter(drawn, width) * width * 2.5, 0, 1) * random.uniform(0.5, 0.95)
    color = np.array([0.2, 0.13, 0.1]) if random.random() < 0.85 else np.array([0.85, 0.75, 0.55])
    picture[...] = picture * (1 - shade[..., None]) + color * shade[..., None]


def _add_bubbles(random: Random, picture: Field, x: Field, y: Field) -> None:
    """Air in the gel: bright rims with a glint."""
    for _ in range(int(random.choice([0, 0, 0, 2, 6]))):
        column, row = random.uniform(-1, 1, 2)
        radius = random.uniform(0.015, 0.09)
        distance = np.hypot(x - column, y - row)
        glint = np.hypot(x - column + radius / 2, y - row + radius / 2)
        light = 0.3 * np.exp(-(((distance - radius) / 0.012) ** 2)) + 0.6 * np.exp(-((glint / 0.018) ** 2))
        picture += (random.uniform(0.3, 1) * light)[..., None]


def _add_ruler(random: Random, picture: Field, x: Field, y: Field) -> None:
    """Ticks along one edge, every tenth longer."""
    if random.random() > 0.2:
        return
    gap, start, turns = random.uniform(0.06, 0.14), random.uniform(0.82, 0.93), int(random.integers(4))
    across = np.rot90(y, turns)
    along = np.rot90(x, turns) / gap + random.uniform(0, 10)
    length = np.where(np.round(along) % 10 == 0, 0.12, 0.06)
    on_tick = np.abs(along - np.round(along)) * gap < 0.008
    ticks = on_tick & (across > start) & (across < start + length)
    picture[ticks] *= random.uniform(0.15, 0.6)


def _expose(random: Random, picture: Field, x: Field, y: Field) -> Field:
    """Light that falls off, white balance, contrast, blur and grain."""
    size = len(x)
    away = (x - random.normal(0, 0.15)) ** 2 + (y - random.normal(0, 0.15)) ** 2
    tilt = random.normal(0, 0.05) * x + random.normal(0, 0.05) * y
    light = 1 - random.choice([random.uniform(0, 0.12), random.uniform(0.15, 0.32)], p=[0.6, 0.4]) * away + tilt
    picture = np.clip(picture * light[..., None], 0, 1) ** random.uniform(0.8, 1.3) * random.normal(1, 0.015, 3)
    picture = gaussian_filter(picture, (*[size / 256 * random.uniform(0.4, 0.9)] * 2, 0))
    return picture + random.uniform(0.004, 0.018) * random.standard_normal(picture.shape).astype(np.float32)
