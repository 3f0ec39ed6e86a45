# SPDX-License-Identifier: Apache-2.0
"""Adversarial training as the ``prepare_batch`` of a MONAI trainer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import default_prepare_batch
from monai.utils import convert_to_tensor
from torch import nn
from torch.utils.data import DataLoader

from pipeline.attacks import AttackedNetwork, Ball, GradientAttack, OutputClasses
from pipeline.robustness import image_names, whole_masks
from pipeline.utils import InputError, check_finite, check_images, check_masks, with_progress
from pipeline.weights import bare_network

__all__ = ["AdversarialBatch"]


class AdversarialBatch:
    """The ``prepare_batch`` of a trainer that trains on attacked pictures (Madry et al., ICLR 2018).

    Each batch is attacked from a random start, with an attack that is drawn anew, and each image with an ε of its own,
    so that the statistics of batch normalization are those of all ε at once. The last picture counts, not the worst.
    The attack sees the network in evaluation mode, the step after it in training mode, as MONAI's trainer leaves it.
    All that is drawn comes from torch's generator, which ``EpochSeed`` seeds, so that a training resumes exactly.

    Args:
        network: the network that is trained, with or without a wrapper for several processes.
        attack: how it is attacked, or several attacks, one of which is drawn for each batch. A network that sees one
            loss only can learn to resist that loss and no other. Their ``seed`` does not count.
        epsilon: ε is drawn evenly up to this bound, in the attack's ``unit``, by default grey levels of 255.
        ramp_epochs: in so many first epochs this bound rises evenly, from a part of it to the whole. Attach the object
            to the trainer then, so that it knows the epoch.
        clean: part of the images that is left as it is, from 0 up to, but not, 1; where it is no whole number of a
            batch's images, it is drawn whether one more is.
        classes: how the network's output becomes classes: two by ``Softmax`` by default.
        intensity_range: what of the images' values is grey level 0 and 255; an assessment must be given the same, or
            its ε is another.
        amp: compute the attack's gradients in bfloat16.

    Raises:
        InputError: if a setting is out of range; in a call, if the images leave the intensity range, masks hold
            something else than the classes, the network gives something else than their logits, the epoch is needed and
            not known, or the attack's gradient is not finite.

    Example:
        >>> prepare = AdversarialBatch(network, PGD(iterations=4, relative_step=0.625), epsilon=32)
        >>> trainer = SupervisedTrainer("cpu", 40, loader, network, optimizer, loss, prepare_batch=prepare)
    """

    def __init__(
        self,
        network: nn.Module,
        attack: GradientAttack | Sequence[GradientAttack],
        epsilon: float,
        ramp_epochs: int = 0,
        clean: float = 0.0,
        classes: OutputClasses | None = None,
        intensity_range: tuple[float, float] = (0.0, 1.0),
        amp: bool = False,
    ) -> None:
        self.attacks = [attack] if isinstance(attack, GradientAttack) else list(attack)
        if not self.attacks:
            raise InputError("AdversarialBatch: attack must name at least one attack, got none.")
        if any(each.restarts != 1 for each in self.attacks):
            raise InputError("AdversarialBatch: restarts: an attack begins once for each batch; leave it at 1.")
        if not epsilon > 0:
            raise InputError(f"AdversarialBatch: epsilon must be above 0 grey levels, got {epsilon}.")
        if ramp_epochs < 0 or not 0 <= clean < 1:
            raise InputError(
                "AdversarialBatch: ramp_epochs must be 0 or more, and clean from 0 up to, but not, 1, got "
                f"{ramp_epochs} and {clean}."
            )
        self.epsilon = epsilon
        self.ramp_epochs = ramp_epochs
        self.clean = clean
        self.intensity_range = intensity_range
        self.epoch = 0
        self._network_is_checked = False
        self.attacked = AttackedNetwork(
            bare_network(network),  # a wrapper's forward pass waits for the other processes
            classes=classes,
            intensity_range=intensity_range,
            precision=torch.bfloat16 if amp else None,
            subject="Adversarial training",
        )

    def attach(self, engine: Engine) -> None:
        """
        Args:
            engine: the trainer.
        """
        if not engine.has_event_handler(self._set_epoch, Events.EPOCH_STARTED):
            engine.add_event_handler(Events.EPOCH_STARTED, self._set_epoch)

    def _set_epoch(self, engine: Engine) -> None:
        self.epoch = engine.state.epoch

    def check_data(self, batches: DataLoader[Any] | Sequence[Any]) -> None:
        """Look through the training images once, so that a long training does not end at one outside the range.

        Random augmentation may widen the range in a later epoch, for which the proposed one leaves room. It draws as
        it does in an epoch. Of several processes each looks at its own images, and all say the range of all.

        Args:
            batches: the trainer's, as they come.

        Raises:
            InputError: if images leave the intensity range, or hold what is no number; the message says what to do.
        """
        items: Any = batches
        lowest, highest, seen = math.inf, -math.inf, 0
        for batch in with_progress(items, "range of the training images", "batch"):
            image = convert_to_tensor(default_prepare_batch(batch)[0])
            check_finite(image, ", ".join(image_names(batch, len(image), seen)))
            lowest, highest = min(lowest, image.min().item()), max(highest, image.max().item())
            seen += len(image)
        if not seen:
            raise InputError(f"{self.attacked.subject}: there are no training images; check the data.")
        lowest, highest = float(idist.all_reduce(lowest, "MIN")), float(idist.all_reduce(highest, "MAX"))
        ends = torch.tensor([[[lowest, highest]]], dtype=torch.float64)
        check_images(ends, self.attacked.subject, self.intensity_range, _say_range(lowest, highest))

    def largest_epsilon(self) -> float:
        """Return up to which ε is drawn in this epoch."""
        if not self.ramp_epochs:
            return self.epsilon
        if not self.epoch:
            raise InputError(
                "AdversarialBatch: ramp_epochs needs the epoch; call its attach(trainer), or add it to the trainer's "
                "handlers; lay bundles/adversarial_training.json over all other files."
            )
        return self.epsilon * min(1.0, self.epoch / self.ramp_epochs)

    def __call__(
        self, batch: Any, device: torch.device | None = None, non_blocking: bool = False, **settings: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the attacked images and their masks of a batch with the keys ``image`` and ``label``.

        Masks may be boolean, one-hot or not whole, as the battery takes them, and are returned as they are.
        """
        image, label = (
            convert_to_tensor(each) for each in default_prepare_batch(batch, device, non_blocking, **settings)
        )
        masks = self._checked(image, label)
        kept = int(self.clean * len(image) + torch.rand(()).item()) if self.clean else 0
        if kept == len(image):
            return image, label
        attack = self._draw()
        picture = self.attacked.grey_levels(image[kept:])
        part = torch.rand(len(picture), *[1] * (picture.ndim - 1), dtype=picture.dtype).to(picture.device)
        reach = self.largest_epsilon() * attack.unit * part
        ball = Ball(attack, self.attacked, picture, masks[kept:], reach, keep=False)
        noise = 2 * torch.rand(picture.shape, dtype=picture.dtype).to(picture.device) - 1
        try:
            delta = attack.descend(ball, ball.project(reach * noise))
        except FloatingPointError as error:
            raise InputError(
                f"Adversarial training: {error} The weights may have diverged: train with a lower learning rate."
            ) from error
        return torch.cat([image[:kept], self.attacked.images(picture + delta).to(image)]), label

    def _checked(self, image: torch.Tensor, label: torch.Tensor | None) -> torch.Tensor:
        """Refuse what cannot be attacked, with the first batch the network, too; return the masks of the classes."""
        attacked, classes = self.attacked, self.attacked.classes
        if label is None:
            raise InputError(f"{attacked.subject}: the batches have no key 'label'; attacks need the true masks.")
        check_finite(image, attacked.subject)
        low, high = self.intensity_range
        remedy = _say_range(min(low, image.min().item()), max(high, image.max().item()))
        check_images(image, attacked.subject, self.intensity_range, remedy)
        masks, _ = whole_masks(label, classes)
        check_masks(masks, len(image), attacked.subject, classes.mask_channels, classes.labels)
        if not self._network_is_checked:
            attacked.predict(attacked.grey_levels(image), masks)
            self._network_is_checked = True
        return masks

    def _draw(self) -> GradientAttack:
        number = int(torch.randint(len(self.attacks), ())) if len(self.attacks) > 1 else 0
        return self.attacks[number]


def _say_range(lowest: float, highest: float) -> str:
    """What to do about images that hold these values: a range with a tenth of theirs more at both ends, rounded."""
    room = 0.1 * (highest - lowest) or 1.0
    unit = 10 ** math.floor(math.log10(room))
    low, high = unit * math.floor((lowest - room) / unit), unit * math.ceil((highest + room) / unit)
    return (
        f'say a range that leaves room for random augmentation, such as --intensity_range "[{low:g},{high:g}]", here '
        "and in the assessment, since ε counts its 255th parts; or scale them in the preprocessing"
    )
