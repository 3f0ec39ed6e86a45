# SPDX-License-Identifier: Apache-2.0
"""Losses that attacks raise, pixel by pixel: each weighs pixels differently, and none couples them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import nn

from .check_target import check_target

__all__ = [
    "BalancedMaskedCrossEntropy",
    "CosPGDLoss",
    "GrowLoss",
    "JensenShannon",
    "Margin",
    "MaskedCrossEntropy",
    "Scheduled",
    "SegPGDSchedule",
    "ShrinkLoss",
    "Tsallis",
    "TsallisSweep",
    "WeightedCrossEntropy",
]


@runtime_checkable
class Scheduled(Protocol):
    """A loss that changes during an attack: ``at(progress)`` is the one for a part of the steps from 0 to 1."""

    def at(self, progress: float) -> nn.Module: ...


class _PixelLoss(nn.Module, ABC):
    """The sum over an image's pixels of a value of each.

    Shape:
        input: logits (B, C, *spatial), C ≥ 2 classes that exclude each other, background first.
        target: class indices (B, 1, *spatial), of any number type.
        output: one number for each image, (B,), higher for worse predictions.

    Raises:
        ValueError: if ``target`` is not (B, 1, *spatial) of the input's size.
    """

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        check_target(self, input, target)
        return self.of_pixels(input, target.squeeze(1).long()).flatten(1).sum(1)

    @abstractmethod
    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Return the value of each pixel, (B, *spatial), for labels of that shape."""


class Margin(_PixelLoss):
    """How far the best wrong class is above the true one: every pixel pulls with the same weight (Carlini-Wagner)."""

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return _margin(logits, label)


class MaskedCrossEntropy(_PixelLoss):
    """Cross-entropy of the pixels that are still right (Croce et al., ECCV 2024, SEA)."""

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, label, reduction="none") * _is_right(logits, label)


class BalancedMaskedCrossEntropy(MaskedCrossEntropy):
    """The same with every class of an image weighing as much as another, however few pixels it has (SEA).

    SEA weighs by the frequencies of the data set; here each image's own count, so that none depends on the others.
    """

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        classes = F.one_hot(label.flatten(1), logits.shape[1]).to(logits.dtype)
        counts = classes.sum(1)
        weights = label[0].numel() / (counts.clamp(min=1) * (counts > 0).sum(1, keepdim=True))
        return super().of_pixels(logits, label) * weights.gather(1, label.flatten(1)).view_as(label)


class JensenShannon(_PixelLoss):
    """Jensen-Shannon divergence of prediction and mask: pixels that are very right or very wrong hardly pull (SEA)."""

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        log_p = -F.cross_entropy(logits, label, reduction="none")
        p = log_p.exp()  # so that a probability of 0 has a gradient
        return math.log(2) + (p * log_p - (1 + p) * torch.log1p(p)) / 2


class Tsallis(_PixelLoss):
    """(1 − p^(1 − q)) / (1 − q) of the true class's probability p: ``q`` says which pixels pull.

    q = 1 is the cross-entropy, at which wrong pixels pull most; the lower q, the more pull those that are right.
    """

    def __init__(self, q: float) -> None:
        super().__init__()
        self.q = q

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        entropy = F.cross_entropy(logits, label, reduction="none")  # −log p
        return entropy if self.q == 1 else -torch.expm1((self.q - 1) * entropy) / (1 - self.q)


@dataclass(frozen=True)
class TsallisSweep:
    """``Tsallis`` with q from ``first`` to ``last`` during an attack (TsallisPGD, arXiv 2605.03405)."""

    first: float = -2.0
    last: float = 1.0

    def at(self, progress: float) -> Tsallis:
        return Tsallis(self.first + progress * (self.last - self.first))


class WeightedCrossEntropy(_PixelLoss):
    """Cross-entropy, 1 − ``wrong`` of the pixels that are right and ``wrong`` of those that are wrong."""

    def __init__(self, wrong: float) -> None:
        super().__init__()
        self.wrong = wrong

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        weight = torch.where(_is_right(logits, label), 1 - self.wrong, self.wrong)
        return F.cross_entropy(logits, label, reduction="none") * weight


@dataclass(frozen=True)
class SegPGDSchedule:
    """``WeightedCrossEntropy`` whose part of wrong pixels rises from 0 to ½ (SegPGD: Gu et al., ECCV 2022)."""

    def at(self, progress: float) -> WeightedCrossEntropy:
        return WeightedCrossEntropy(progress / 2)


class CosPGDLoss(_PixelLoss):
    """Cross-entropy, each pixel weighing by the cosine of prediction and mask (Agnihotri et al., ICML 2024)."""

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        p = torch.softmax(logits.detach(), 1)
        cosine = p.gather(1, label.unsqueeze(1)).squeeze(1) / p.square().sum(1).sqrt()
        return F.cross_entropy(logits, label, reduction="none") * cosine


class ShrinkLoss(_PixelLoss):
    """The margin of the pixels of any foreground class alone: the attack takes away, it adds nothing."""

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return _margin(logits, label) * (label > 0)


class GrowLoss(_PixelLoss):
    """The margin of the background's pixels alone: the attack adds, it takes nothing away."""

    def of_pixels(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return _margin(logits, label) * (label == 0)


def _margin(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    true = logits.gather(1, label.unsqueeze(1))
    others = logits.scatter(1, label.unsqueeze(1), -math.inf)
    return others.amax(1) - true.squeeze(1)


def _is_right(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    # argmax over channels takes ten times as long on processors
    return logits.max(1).indices == label
