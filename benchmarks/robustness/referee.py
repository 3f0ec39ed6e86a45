# SPDX-License-Identifier: Apache-2.0
"""The referee: scores what each attack gave by one rule, on a network that no attack has touched."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from pipeline.attacks import AttackedNetwork
from pipeline.attacks.grey_levels import project
from pipeline.robustness.scores import CLEAN, worst_case
from pipeline.utils import InputError

from .methods import METHODS
from .problem import Problem

__all__ = ["CLIPPED", "ROUNDING", "Referee", "means"]

# grey levels: what single precision makes of the way to images of 0 to 1 and back
ROUNDING = 1e-3
CLIPPED = ", clipped to ε"


class Referee:
    """Scores adversarial pictures in single precision.

    Where the picture of an attack that looks for the smallest change is beyond ε, the clean one counts in its place. It
    gets a second chance, under its name with ``CLIPPED``: its picture clipped to ± ε.

    Args:
        attacked: the network.
        problem: all pictures and masks.
        device: of the network.
    """

    def __init__(self, attacked: AttackedNetwork, problem: Problem, device: torch.device) -> None:
        self.attacked = attacked
        self.device = device
        self.pictures = self._tensor(problem.images)
        self.labels = self._tensor(problem.labels)

    def clean(self) -> pd.DataFrame:
        """Return the scores of the pictures as they are, in the columns of :meth:`scores`."""
        return self._rows(CLEAN, 0.0, self.pictures, torch.zeros(len(self.pictures)), 0)

    def scores(self, method: str, pictures: np.ndarray, epsilons: np.ndarray, first: int) -> pd.DataFrame:
        """Return DIC of each picture within ε: columns ``image``, ``epsilon``, ``attack``, ``DIC`` and ``norm``.

        Args:
            method: a name of ``METHODS``.
            pictures: in grey levels, see ``Answer``.
            epsilons: intensities.
            first: number of the first image.

        Raises:
            InputError: if an attack of a given ε has left it, or a picture is not finite.
        """
        smallest = METHODS[method].smallest
        if not np.isfinite(pictures).all():
            raise InputError(f"{method}: a picture is not finite.")
        tables = []
        for number, epsilon in enumerate(epsilons):
            found = self._tensor(pictures[0 if smallest else number])
            clean = self.pictures[first : first + len(found)]
            norm = (found - clean).flatten(1).abs().amax(1)
            outside = norm > epsilon + ROUNDING
            if smallest:
                tables.append(self._rows(method + CLIPPED, float(epsilon), found, norm, first))
                found = torch.where(outside[:, None, None, None], clean, found)
            elif outside.any():
                raise InputError(f"{method}: a picture is {norm.max():g} grey levels away at ε = {epsilon:g}.")
            tables.append(self._rows(method, float(epsilon), found, norm, first))
        return pd.concat(tables, ignore_index=True)

    def _rows(self, name: str, epsilon: float, found: torch.Tensor, norm: torch.Tensor, first: int) -> pd.DataFrame:
        clean, label = self.pictures[first : first + len(found)], self.labels[first : first + len(found)]
        # rounding may have moved a picture a hair's breadth out of the ball
        inside = clean + project(found - clean, clean, epsilon, (0.0, 255.0))
        dic = self.attacked.scores(self.attacked.predict(inside, label), label)[:, 0]
        return pd.DataFrame(
            {
                "image": np.arange(first, first + len(found)),
                "epsilon": epsilon,
                "attack": name,
                "DIC": dic.cpu().double().numpy(),
                "norm": norm.cpu().double().numpy(),
            }
        )

    def _tensor(self, pictures: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(pictures).to(self.device)[:, None].float()


def means(scores: pd.DataFrame, epsilons: np.ndarray) -> dict[str, dict[float, float | None]]:
    """Return for each attack the mean DIC at each ε, running minima over ε from the clean picture on.

    None at an ε where it was not measured on every image.
    """
    clean = scores[scores["attack"] == CLEAN]
    return {
        str(name): _of_attack(own, clean, epsilons)
        for name, own in scores.groupby("attack", sort=False)
        if name != CLEAN
    }


def _of_attack(own: pd.DataFrame, clean: pd.DataFrame, epsilons: np.ndarray) -> dict[float, float | None]:
    worst = worst_case(pd.concat([own, clean], ignore_index=True)).groupby("epsilon")["DIC"].mean()
    images = own.groupby("epsilon")["image"].nunique()
    return {float(e): float(worst[e]) if images.get(e, 0) == len(clean) else None for e in epsilons}
