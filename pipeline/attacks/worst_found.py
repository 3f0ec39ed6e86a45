# SPDX-License-Identifier: Apache-2.0
"""The worst picture found for each image so far."""

from __future__ import annotations

import copy

import torch

from .attacked_network import AttackedNetwork

__all__ = ["WorstFound"]


class WorstFound:
    """The picture of each image with the lowest DIC, not with the highest loss, which is only the way there.

    Args:
        attacked: the network.
        picture: pictures (B, C, *spatial) in grey levels to begin with.
        label: their masks.
        prediction: what the network predicts for them; it is asked if none is given.

    Attributes:
        picture: the worst pictures so far.
        prediction: what the network predicts for them.
        dic: their DIC, (B,).
    """

    def __init__(
        self,
        attacked: AttackedNetwork,
        picture: torch.Tensor,
        label: torch.Tensor,
        prediction: torch.Tensor | None = None,
    ) -> None:
        self.attacked = attacked
        self.label = label
        self.picture = picture
        self.prediction = attacked.predict(picture, label) if prediction is None else prediction
        self.dic = self._dic(self.prediction)

    def copy(self) -> WorstFound:
        """Return a copy that changes independently from now on."""
        return copy.copy(self)

    def offer(self, picture: torch.Tensor, prediction: torch.Tensor | None = None) -> None:
        """Keep of each image ``picture`` if its DIC is lower; the network is asked if no prediction is given."""
        prediction = self.attacked.predict(picture, self.label) if prediction is None else prediction
        self._keep(picture, prediction, self._dic(prediction))

    def merge(self, other: WorstFound) -> None:
        """Keep of each image the other's worst picture if its DIC is lower."""
        self._keep(other.picture, other.prediction, other.dic)

    def _keep(self, picture: torch.Tensor, prediction: torch.Tensor, dic: torch.Tensor) -> None:
        better = (dic < self.dic).view(-1, *[1] * (picture.ndim - 1))
        self.picture = torch.where(better, picture, self.picture)
        self.prediction = torch.where(better, prediction, self.prediction)
        self.dic = torch.minimum(dic, self.dic)

    def _dic(self, prediction: torch.Tensor) -> torch.Tensor:
        return self.attacked.scores(prediction, self.label)[:, 0]
