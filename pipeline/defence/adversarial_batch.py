# SPDX-License-Identifier: Apache-2.0
"""Adversarial training as the ``prepare_batch`` of a MONAI trainer."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import default_prepare_batch
from monai.utils import convert_to_tensor
from torch import nn

from pipeline.attacks import AttackedNetwork, Ball, GradientAttack, OutputClasses
from pipeline.utils import InputError, check_images

__all__ = ["AdversarialBatch"]


class AdversarialBatch:
    """The ``prepare_batch`` of a trainer that trains on attacked pictures (Madry et al., ICLR 2018).

    Each batch is attacked from a random start, with an ε that is drawn anew; the last picture counts, not the worst.
    The attack sees the network in evaluation mode, the step after it in training mode, as MONAI's trainer leaves it.
    All that is drawn comes from torch's generator, which ``EpochSeed`` seeds, so that a training resumes exactly.

    Args:
        network: the network that is trained.
        attack: how it is attacked.
        epsilon: ε is drawn evenly from 0 to this, in grey levels of 255.
        classes: how the network's output becomes classes: two by ``Softmax`` by default.
        intensity_range: what of the images' values is grey level 0 and 255.

    Raises:
        InputError: if ε is not above 0; in a call, if the images leave the intensity range.

    Example:
        >>> prepare = AdversarialBatch(network, PGD(iterations=4, relative_step=0.625), epsilon=32)
        >>> trainer = SupervisedTrainer("cpu", 40, loader, network, optimizer, loss, prepare_batch=prepare)
    """

    def __init__(
        self,
        network: nn.Module,
        attack: GradientAttack,
        epsilon: float,
        classes: OutputClasses | None = None,
        intensity_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if not epsilon > 0:
            raise InputError(f"AdversarialBatch: epsilon must be above 0 grey levels, got {epsilon}.")
        self.attack = attack
        self.epsilon = epsilon
        self.intensity_range = intensity_range
        self.attacked = AttackedNetwork(
            network, classes=classes, intensity_range=intensity_range, subject="Adversarial training"
        )

    def __call__(
        self, batch: Any, device: torch.device | None = None, non_blocking: bool = False, **settings: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the attacked images and their masks of a batch with the keys ``image`` and ``label``."""
        image, label = (
            convert_to_tensor(each) for each in default_prepare_batch(batch, device, non_blocking, **settings)
        )
        check_images(image, "Adversarial training", self.intensity_range)
        picture = self.attacked.grey_levels(image)
        reach = self.epsilon * self.attack.unit * torch.rand(()).item()
        ball = Ball(self.attack, self.attacked, picture, label, reach, keep=False)
        noise = 2 * torch.rand(picture.shape, dtype=picture.dtype).to(picture.device) - 1
        delta = self.attack.descend(ball, ball.project(reach * noise))
        return self.attacked.images(picture + delta), label
