# SPDX-License-Identifier: Apache-2.0
"""Phantoms of chest radiographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom
from skimage.draw import line

from .fields import Field, Random, curve, noise, step

__all__ = ["make_phantom"]


def make_phantom(seed: int, index: int, size: int = 256) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draw an invented frontal chest radiograph, and its exact lung mask.

    Two lung fields of varying shape over a body with spine, ribs, clavicles, shoulder blades, heart and vessels, in a
    film of varying exposure, contrast, grain, position and turn, with letters and cables. As in the SCR masks, the
    heart and what lies behind the diaphragm do not count as lung.

    Args:
        seed: of the set.
        index: of the picture in the set.
        size: rows and columns.

    Returns:
        picture and mask (0 or 255), both uint8 (size, size). The same arguments give the same arrays.
    """
    random = np.random.default_rng([seed, index])
    x, y = _patient_coordinates(random, size)
    chest = _draw_chest(random, x, y)
    picture = _expose(random, chest.density, chest.body)
    _add_marks(random, picture)
    return np.round(picture * 255).astype(np.uint8), np.where(chest.lungs, 255, 0).astype(np.uint8)


@dataclass
class _Chest:
    density: Field
    lungs: npt.NDArray[np.bool_]
    body: Field


def _patient_coordinates(random: Random, size: int) -> tuple[Field, Field]:
    """Coordinates of each pixel: x from -1 to 1 towards the patient's left, y downwards; shifted, turned, bent."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    angle = random.normal(0, 0.04)
    scale_x, scale_y = random.uniform(0.9, 1.14), random.uniform(0.9, 1.12)
    shift_x, shift_y = random.uniform(-0.07, 0.07, 2)
    bend_x, bend_y = (noise(random, size, 4) * 0.025 for _ in range(2))
    turned_x = np.cos(angle) * x + np.sin(angle) * y
    turned_y = np.cos(angle) * y - np.sin(angle) * x
    return turned_x * scale_x + shift_x + bend_x, turned_y * scale_y + shift_y + bend_y


def _draw_chest(random: Random, x: Field, y: Field) -> _Chest:
    size = len(x)
    midline = random.normal(0, 0.01) + random.normal(0, 0.02) * y
    x = x - midline
    heart = _heart(random, x, y)
    right, right_base = _lung(random, x, y, side=-1)
    left, left_base = _lung(random, x, y, side=1)
    lung = np.maximum(right, left)
    lung = np.minimum(lung, -heart)
    # rounds the corners where the borders meet
    lung = gaussian_filter(lung, size / 256 * 1.5)
    lungs = lung > 0

    width = random.uniform(0.84, 1.08) - 0.18 * np.clip(-y - 0.55, 0, 1) ** 0.8
    shoulder = -0.98 + 0.42 * np.clip(np.abs(x) - 0.16, 0, 1) ** 1.25 + random.uniform(-0.06, 0.04)
    trunk = np.minimum(step(width - np.abs(x), 0.012), step(y - shoulder, 0.015))
    # the arms hang beside the trunk or reach out of the picture; between them is air
    gap = random.uniform(-0.1, 0.3) * np.clip(y - random.uniform(-0.4, 0.1), 0, 1)
    arms = 0.7 * np.minimum(step(np.abs(x) - width - gap, 0.012), step(y - shoulder - 0.1, 0.03))
    body = np.maximum(trunk, arms)
    thickness = np.sqrt(np.clip(1 - (x / 1.25) ** 2, 0.02, 1))
    belly = np.where(x < 0, right_base, left_base)
    density = body * (random.uniform(0.62, 0.8) * thickness + 0.16 * step(belly, 0.03))
    density = density - 0.12 * body * step(np.abs(x) - random.uniform(0.74, 0.84), 0.05) * step(0.2 - y, 0.15)

    depth = np.sqrt(np.clip(lung, 0, 0.2) / 0.2)
    soft = step(lung, random.uniform(0.006, 0.014))
    air = soft * (0.55 + 0.45 * depth) * random.uniform(0.34, 0.5)
    density = density - air * (1 + 0.12 * noise(random, size, 3))
    density = density + 0.17 * step(heart, 0.018) + _mediastinum(random, x, y)
    density = density + random.uniform(0.6, 1.1) * _ribs(random, x, y) * body
    density = density + random.uniform(0.5, 1.1) * _shoulders(random, x, y) * body
    density = density + soft * _vessels(random, x, y)
    density = density - _gas(random, x, y, left_base)
    return _Chest(density, lungs, body)


def _lung(random: Random, x: Field, y: Field, side: int) -> tuple[Field, Field]:
    """Signed depth inside one lung, and depth below its diaphragm. ``side`` is -1 for the patient's right."""
    across = x * side
    apex = random.uniform(-0.82, -0.7)
    base = random.uniform(0.4, 0.56) + (0.05 if side > 0 else 0)
    reach = random.uniform(0.66, 0.78)
    # chest wall: steep from the apex, then nearly straight down
    down = np.clip((y - apex) / random.uniform(1.0, 1.25), 0, 1)
    top = random.uniform(0.27, 0.34)
    wall = top + 0.03 + (reach - top - 0.03) * (1 - (1 - down) ** random.uniform(2.2, 3.4)) ** random.uniform(0.7, 0.95)
    wall = wall - random.uniform(0, 0.06) * np.clip(y - 0.1, 0, 1)
    inner = random.uniform(0.09, 0.15) + random.uniform(0.02, 0.1) * np.clip(y + 0.1, 0, 1)
    inner = inner + random.uniform(0, 0.05) * np.cos(random.uniform(4, 7) * (y + random.uniform(0, 1)))
    inner = inner + random.uniform(0.2, 0.5) * np.clip(apex + 0.22 - y, 0, 1)
    dome = random.uniform(0.3, 0.42)
    falls = np.abs(across - dome)
    outer = random.uniform(0.9, 2.0) * np.clip(across - dome, 0, 1) ** 2
    base_line = base + outer + random.uniform(0.1, 0.5) * np.where(across < dome, falls, 0) ** 2
    base_line = base_line + random.uniform(0.02, 0.14) * step(across - reach + 0.1, 0.03)
    roundness = np.where(across < top, random.uniform(2.0, 5.0), 0.9)
    apex_line = apex + roundness * (across - top) ** 2
    below = y - base_line
    inside = np.minimum.reduce([wall - across, across - inner, -below, (y - apex_line) * 0.8])
    return inside.astype(np.float32), below


def _heart(random: Random, x: Field, y: Field) -> Field:
    """Signed depth inside the heart and the aortic arch: mostly on the patient's left, hiding part of the lung."""
    angle = random.uniform(0.45, 0.85)
    u = x - random.uniform(0.08, 0.15)
    v = y - random.uniform(0.24, 0.36)
    along = np.cos(angle) * u + np.sin(angle) * v
    across = np.cos(angle) * v - np.sin(angle) * u
    long, short = random.uniform(0.32, 0.44), random.uniform(0.22, 0.29)
    ventricle = (1 - np.sqrt((along / long) ** 2 + (across / short) ** 2)) * short
    u, v = x - random.uniform(0.07, 0.11), y - random.uniform(-0.32, -0.22)
    arch = random.uniform(0.06, 0.1) - np.sqrt(u**2 + v**2)
    return np.maximum(ventricle, arch).astype(np.float32)


def _mediastinum(random: Random, x: Field, y: Field) -> Field:
    column = 0.1 * step(random.uniform(0.1, 0.13) - np.abs(x), 0.02)
    period = random.uniform(0.14, 0.17)
    phase = random.uniform(0, 1)
    turn = 2 * np.pi * (y / period + phase)
    vertebra = 0.05 * np.cos(turn) * step(0.08 - np.abs(x), 0.008)
    pedicles = 0.05 * np.exp(-(((np.abs(x) - 0.05) / 0.018) ** 2)) * np.clip(np.sin(turn), 0, 1)
    windpipe = step(0.036 - np.abs(x - random.normal(0, 0.012)), 0.006)
    trachea = 0.13 * windpipe * step(random.uniform(-0.4, -0.28) - y, 0.04)
    return column + random.uniform(0.5, 1) * (vertebra + pedicles) - trachea


def _ribs(random: Random, x: Field, y: Field) -> Field:
    """Nine pairs of ribs: from the spine up and outwards, down along the wall, and back in front, fainter."""
    total = np.zeros_like(x)
    gap = random.uniform(0.135, 0.165)
    first = random.uniform(-0.82, -0.72)
    slope = random.uniform(0.18, 0.42)
    half = random.uniform(0.022, 0.03)
    across = np.abs(x) + random.normal(0, 0.012) * np.sign(x)
    for number in range(9):
        reach = min(0.4 + 0.11 * number, random.uniform(0.8, 0.86))
        start = first + gap * number
        bow = 4 * across / reach * (1 - across / reach)
        back = start + slope * across * (0.4 + 0.09 * number) + 0.6 * across**2 * 0.5 - 0.06 * bow
        total += 0.13 * _bone(y - back, half) * step(reach - across, 0.02) * step(across - 0.06, 0.02)
        front = start + slope * reach + 0.36 + 0.14 * bow - 0.55 * (across - reach) * -1 * 0.9
        inside = random.uniform(0.3, 0.4)
        total += 0.07 * _bone(y - front, half * 1.2) * step(reach - across, 0.02) * step(across - inside, 0.03)
    return total


def _bone(distance: Field, half: float) -> Field:
    """A bone in profile: dense rims, lighter marrow."""
    near = np.clip(distance / half, -3, 3)
    square = near * near
    rim = np.exp(-(((np.abs(near) - 0.85) / 0.3) ** 2))
    return 0.7 * np.exp(-square * square) + 0.45 * rim


def _shoulders(random: Random, x: Field, y: Field) -> Field:
    """Clavicles and shoulder blades."""
    across = np.abs(x)
    tilt = random.uniform(-0.1, 0.35)
    height = random.uniform(-0.66, -0.54) + random.normal(0, 0.02) * np.sign(x)
    middle = height - tilt * (across - 0.1) + 0.05 * np.sin((across - 0.08) * 2 * np.pi / 0.75)
    clavicles = 0.15 * _bone(y - middle, 0.032) * step(across - 0.07, 0.02) * step(0.85 - across, 0.03)
    edge = random.uniform(0.55, 0.75) - 0.25 * (y + 0.2)
    blade = step(across - edge, 0.012) * step(0.25 - y - 0.3 * across, 0.05) * step(y + 0.72, 0.04)
    border = np.exp(-(((across - edge) / 0.02) ** 2)) * step(0.05 - y, 0.05) * step(y + 0.62, 0.04)
    return clavicles + 0.07 * blade + 0.06 * border


def _vessels(random: Random, x: Field, y: Field) -> Field:
    """Branching vessels from both hila, and the lungs' fine texture."""
    size = len(x)
    drawn = np.zeros((size, size), dtype=np.float32)
    for side in (-1, 1):
        goal = (x - side * random.uniform(0.15, 0.2)) ** 2 + (y - random.uniform(-0.15, -0.02)) ** 2
        row, column = divmod(int(np.argmin(goal)), size)
        for _ in range(int(random.integers(14, 24))):
            _branch(random, drawn, float(row), float(column), random.uniform(0, 2 * np.pi), size * 0.3, 1.0)
    tree = gaussian_filter(drawn, size / 256 * 1.1) * random.uniform(0.12, 0.25)
    hila = gaussian_filter(drawn, size / 256 * 7) * random.uniform(0.25, 0.55)
    texture = random.uniform(0.008, 0.02) * noise(random, size, size // 6)
    return np.clip(tree, 0, 0.2) + np.clip(hila, 0, 0.16) + texture


def _branch(
    random: Random, drawn: Field, row: float, column: float, angle: float, length: float, weight: float
) -> None:
    size = len(drawn)
    pieces = 6
    for piece in range(pieces):
        angle += random.normal(0, 0.22)
        end_row = row + np.sin(angle) * length / pieces
        end_column = column + np.cos(angle) * length / pieces
        if not (0 <= end_row < size and 0 <= end_column < size):
            return
        rows, columns = line(int(row), int(column), int(end_row), int(end_column))
        drawn[rows, columns] += weight
        row, column, weight = end_row, end_column, weight * 0.84
        if piece in (1, 3) and weight > 0.4:
            _branch(random, drawn, row, column, angle + random.choice([-0.6, 0.6]), length * 0.55, weight * 0.7)


def _gas(random: Random, x: Field, y: Field, below: Field) -> Field:
    """Gas in the stomach and the bowel, dark like lung but no lung."""
    total = np.zeros_like(x)
    for _ in range(int(random.integers(0, 4))):
        center_x, depth = random.uniform(-0.15, 0.5), random.uniform(0.1, 0.3)
        wide, high = random.uniform(0.06, 0.18), random.uniform(0.04, 0.09)
        bubble = 1 - ((x - center_x) / wide) ** 2 - ((below - depth) / high) ** 2
        total = np.maximum(total, random.uniform(0.1, 0.35) * step(bubble, 0.15))
    return total * step(below - 0.02, 0.01)


def _expose(random: Random, density: Field, body: Field) -> Field:
    """Turn density into film: scatter, uneven field, window, gamma, collimation, grain."""
    size = len(density)
    density = density + random.uniform(0, 0.06) * noise(random, size, 2)
    density = density + 0.025 * body * noise(random, size, size // 10)
    density = 0.85 * density + 0.15 * gaussian_filter(density, size / 12)
    density = gaussian_filter(density, size / 256 * random.uniform(0.4, 0.9))
    low, high = np.percentile(density, [random.uniform(0.2, 3), random.uniform(97, 99.8)])
    film = np.clip((density - low) / (high - low), 0, 1) ** random.uniform(0.65, 1.35)
    film = random.uniform(0, 0.12) + film * random.uniform(0.8, 0.9)
    grain = gaussian_filter(random.standard_normal(film.shape).astype(np.float32), 0.6)
    film = film + random.uniform(0.008, 0.035) * grain * (1.2 - 0.6 * film)
    return np.clip(film, 0, 1)


def _add_marks(random: Random, film: Field) -> None:
    """Black collimator edges, a side letter, cables; drawn into ``film``."""
    size = len(film)
    if random.random() < 0.4:
        for _ in range(int(random.integers(1, 3))):
            edge = int(size * random.uniform(0.01, 0.05))
            turned = np.rot90(film, int(random.integers(4)))
            turned[:edge] = random.uniform(0, 0.05)
    if random.random() < 0.7:
        left = random.random() < 0.5
        letter: Field = zoom(LETTER_L if left else LETTER_R, max(1, round(size / 85)), order=0)
        height, width = len(letter), len(letter[0])
        row = int(random.uniform(0.03, 0.2) * size)
        column = int((random.uniform(0.86, 0.92) if left else random.uniform(0.02, 0.1)) * size)
        window = film[row : row + height, column : column + width]
        window[letter[: window.shape[0], : window.shape[1]] > 0] = random.uniform(0.85, 1)
    for _ in range(int(random.choice([0, 0, 1, 2]))):
        trace = curve(random.uniform(0.05, 0.95, (4, 2)), size)
        film[...] = np.clip(film + random.uniform(0.15, 0.45) * gaussian_filter(trace, size / 256 * 0.8), 0, 1)


LETTER_L = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=np.uint8)
LETTER_R = np.array([[1, 1, 1, 0], [1, 0, 0, 1], [1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 0, 1]], dtype=np.uint8)
