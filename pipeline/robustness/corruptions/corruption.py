# SPDX-License-Identifier: Apache-2.0
"""What a corruption is: a change of picture and mask at five severities."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.attacks.random_start import check_seed
from pipeline.utils import InputError

from .severities import SEVERITIES

__all__ = ["Change", "Corruption"]

# from a picture (C, *spatial) in grey levels, the number of a severity and random numbers to another picture
Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _everywhere(picture: torch.Tensor) -> bool:
    return True


def _no_move(label: np.ndarray, strength: float) -> np.ndarray:
    return label


@dataclass(frozen=True)
class Corruption:
    """A change without an adversary, of one image as the network gets it, at a severity of 1 to 5.

    It acts after all preprocessing, so that it is no fault of a scanner: preprocessing may take such a fault away, or
    make it worse. It is computed on the CPU, with random numbers drawn by the picture's content, so that it depends
    neither on the device nor on what else is in the batch.

    Attributes:
        name: as in ``SEVERITIES``.
        change: of the picture.
        move: of the mask, where the corruption moves it.
        applies: whether a picture (C, *spatial) can be corrupted so.
        needs_zero: whether grey level 0 must mean that nothing was there, because levels are multiplied or counted.

    Example:
        >>> blur = Corruption("blur", lambda picture, sigma, random: 0.9 * picture)
        >>> corrupted, same_label = blur(picture[0], label[0], severity=3)
    """

    name: str
    change: Change
    move: Callable[[np.ndarray, float], np.ndarray] = _no_move
    applies: Callable[[torch.Tensor], bool] = _everywhere
    needs_zero: bool = False

    def __call__(
        self, picture: torch.Tensor, label: torch.Tensor, severity: int, seed: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the corrupted picture and its mask, in shape, type and device of the given ones.

        Args:
            picture: (C, *spatial) in grey levels of 0 to 255, and so is what is returned.
            label: (C', *spatial).
            severity: 1 to 5.
            seed: another seed gives other noise.

        Raises:
            InputError: if there is no such severity or seed, or the corruption does not apply to the picture.
        """
        check_seed(seed)
        if not isinstance(severity, int) or severity not in range(1, 6):
            raise InputError(f"severity: a whole number of 1 to 5 is needed, got {severity!r}.")
        if not self.applies(picture):
            raise InputError(f"{self.name} does not apply to a picture of shape {tuple(picture.shape)}; leave it out.")
        strength = SEVERITIES[self.name].values[severity - 1]
        levels = picture.detach().cpu().float().numpy()
        changed = self.change(levels, strength, _generator(levels, seed)).clip(0, 255)
        moved = self.move(label.cpu().numpy(), strength)
        return (
            torch.as_tensor(changed).to(picture.device, picture.dtype),
            torch.as_tensor(moved).to(label.device, label.dtype),
        )


def _generator(levels: np.ndarray, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(seed.to_bytes(8, "little") + levels.tobytes()).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
