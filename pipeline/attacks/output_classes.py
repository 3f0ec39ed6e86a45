# SPDX-License-Identifier: Apache-2.0
"""How logits become classes: by softmax or by sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch

__all__ = ["OutputClasses", "Sigmoid", "Softmax"]


class OutputClasses(Protocol):
    """How a network's output becomes classes.

    Attributes:
        channels: of the output.
        mask_channels: of the masks.
        labels: the greatest number that a mask may hold.
    """

    @property
    def channels(self) -> int: ...

    @property
    def mask_channels(self) -> int: ...

    @property
    def labels(self) -> int: ...

    def logits(self, output: Any) -> Any:
        """Return logits (N, K, *spatial) of K classes that exclude each other, which losses take, of an output."""

    def target(self, label: torch.Tensor) -> torch.Tensor:
        """Return the masks (N, 1, *spatial) that belong to these logits."""

    def decide(self, output: torch.Tensor) -> torch.Tensor:
        """Return the predicted masks, of the shape of the true ones."""

    def foreground(self, mask: torch.Tensor) -> torch.Tensor:
        """Return masks as one map of 0 and 1 for each class that is scored, (B, F, *spatial)."""


@dataclass(frozen=True)
class Softmax:
    """Classes that exclude each other: one channel of logits each, background first; masks (B, 1, *spatial).

    Example:
        >>> Softmax().decide(torch.tensor([[[0.2, 3.0], [1.0, 1.0]]]))
        tensor([[[1, 0]]])
    """

    channels: int = 2
    mask_channels: int = 1

    @property
    def labels(self) -> int:
        return self.channels - 1

    def logits(self, output: Any) -> Any:
        return output

    def target(self, label: torch.Tensor) -> torch.Tensor:
        return label

    def decide(self, output: torch.Tensor) -> torch.Tensor:
        # what argmax gives; torch's argmax over channels takes ten times as long on processors
        return output.max(1, keepdim=True).indices

    def foreground(self, mask: torch.Tensor) -> torch.Tensor:
        return torch.cat([mask == label for label in range(1, self.channels)], 1)


@dataclass(frozen=True)
class Sigmoid:
    """Labels that may overlap, or only one: a channel of logits for each, above 0 where it is; masks (B, C, *spatial).

    For losses each channel is a problem of its own with the two logits -z/2 and z/2, whose softmax is the sigmoid of
    z. With 0 and z a sure foreground pixel would have no gradient: its probability is rounded to 1 from z = 17 on, and
    the other logit is constant.

    Example:
        >>> Sigmoid().logits(torch.tensor([[[2.0]]]))
        tensor([[[-1.],
                 [ 1.]]])
    """

    channels: int = 1

    @property
    def mask_channels(self) -> int:
        return self.channels

    @property
    def labels(self) -> int:
        return 1

    def logits(self, output: Any) -> Any:
        half = output.flatten(0, 1).unsqueeze(1) / 2
        return torch.cat([-half, half], 1)

    def target(self, label: torch.Tensor) -> torch.Tensor:
        return label.flatten(0, 1).unsqueeze(1)

    def decide(self, output: torch.Tensor) -> torch.Tensor:
        return (output > 0).long()

    def foreground(self, mask: torch.Tensor) -> torch.Tensor:
        return mask > 0
