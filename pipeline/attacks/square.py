# SPDX-License-Identifier: Apache-2.0
"""A random search by squares, which needs no gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.losses import SoftDice
from pipeline.utils import InputError

from .attacked_network import AttackedNetwork
from .grey_levels import Range, check_epsilons, check_picture, check_range, project
from .random_start import check_seed, image_generator
from .worst_found import WorstFound

__all__ = ["Square"]


class Square:
    """Square attack (Andriushchenko et al., ECCV 2020) on the soft Dice: a search that masked gradients don't fool.

    It begins with stripes of ± ε. Each step sets a square (in volumes a cube) at a random place to ± ε in each channel,
    and keeps it where the soft Dice falls. Squares begin with the part ``size`` of the picture and shrink as the
    authors' do. Of each image the picture with the lowest DIC counts.

    Args:
        queries: forward passes for each ε.
        size: part of the picture's pixels that the first squares cover.
        value_range: the picture's grey levels are kept in it; None for no limit.
        unit: what ε counts, in grey levels of 255.
        seed: of the squares.

    Raises:
        InputError: if a setting is out of range, and, in a call, see ``AttackedNetwork``.

    Example:
        >>> adversarial = Square(queries=20)(attacked, picture, label, [2.0, 8.0])
    """

    def __init__(
        self,
        queries: int = 100,
        size: float = 0.3,
        value_range: Range = (0.0, 255.0),
        unit: float = 1.0,
        seed: int = 0,
    ) -> None:
        if queries < 1 or not 0 < size <= 1:
            raise InputError(f"Square: queries must be at least 1 and size in (0, 1], got {queries} and {size}.")
        self.queries = queries
        self.size = size
        self.value_range = value_range
        self.unit = unit
        self.seed = seed
        check_seed(seed)
        check_range(value_range)

    def check(self, epsilons: Sequence[float]) -> None:
        check_epsilons(epsilons)

    def steps(self, epsilon: float) -> int:
        return self.queries

    def gradients(self, epsilons: Sequence[float]) -> int:
        return 0

    def __call__(
        self,
        attacked: AttackedNetwork,
        picture: torch.Tensor,
        label: torch.Tensor,
        epsilons: Sequence[float],
        start: torch.Tensor | None = None,
    ) -> dict[float, torch.Tensor]:
        """Attack; see ``Attack``. ``start``: pictures within the smallest ε that count as found."""
        self.check(epsilons)
        check_picture(picture, self.value_range)
        worst = WorstFound(attacked, picture, label)
        if start is not None:
            worst.offer(start)
        found = {}
        for epsilon in epsilons:
            self._search(attacked, picture, label, epsilon * self.unit, worst)
            found[epsilon] = worst.picture
        return found

    def _search(
        self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, reach: float, worst: WorstFound
    ) -> None:
        target, loss_function = attacked.classes.target(label), SoftDice()
        generators = [image_generator(image, self.seed) for image in picture]
        best, highest = torch.zeros_like(picture), torch.full((len(picture),), -torch.inf, device=picture.device)
        for query in range(self.queries):
            part = self.size * _shrunk(query / self.queries)
            tried = torch.stack(
                [
                    _stripes(image, generator) if query == 0 else _with_square(delta, part, generator)
                    for image, delta, generator in zip(picture, best, generators, strict=True)
                ]
            )
            moved = picture + project(reach * tried, picture, reach, self.value_range)
            output = attacked.output(moved, label)
            worst.offer(moved, attacked.classes.decide(output))
            loss = loss_function(attacked.classes.logits(output), target).view(len(picture), -1).sum(1)
            better = loss > highest
            best = torch.where(better.view(-1, *[1] * (picture.ndim - 1)), tried, best)
            highest = torch.maximum(loss, highest)


def _stripes(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """± 1, the same along the second axis of space."""
    shape = list(image.shape)
    shape[1] = 1
    return _signs(shape, generator).to(image).expand_as(image)


def _with_square(delta: torch.Tensor, part: float, generator: torch.Generator) -> torch.Tensor:
    """δ with a square of ± 1 at a random place, which covers a part of the pixels."""
    channels, *spatial = delta.shape
    places = [slice(None)]
    for length in spatial:
        side = max(min(round(length * part ** (1 / len(spatial))), length), 1)
        first = int(torch.randint(length - side + 1, (1,), generator=generator))
        places.append(slice(first, first + side))
    changed = delta.clone()
    changed[tuple(places)] = _signs([channels] + [1] * len(spatial), generator).to(delta)
    return changed


def _signs(shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    return 2.0 * torch.randint(2, tuple(shape), generator=generator) - 1


def _shrunk(progress: float) -> float:
    """The authors' schedule: the part of the pixels is halved at these parts of the search."""
    return 0.5 ** sum(progress > each for each in (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8))
