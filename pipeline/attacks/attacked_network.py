# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import SimpleInferer
from torch import nn

from pipeline.metrics import dic_jsc
from pipeline.utils import check_logits, describe_output, explain_misfits, network_output

from .evaluation_mode import evaluation_mode
from .grey_levels import check_intensity_range
from .output_classes import OutputClasses, Softmax

__all__ = ["GREY_LEVELS", "AttackedNetwork"]

GREY_LEVELS = 255


class AttackedNetwork:
    """What an attack sees of a network: logits, gradients and predictions for pictures in grey levels.

    An intensity range of the network's input, [0, 1] by default, is cut into grey levels of 0 to 255. Attacks work in
    grey levels, whatever the network takes: computed tomography from -1000 to 400 HU says ``intensity_range=(-1000,
    400)``, and a grey level is 5.5 HU then.

    Args:
        network: from images (B, C, *spatial) in its own range to an output as ``classes`` has it.
        inferer: how it is run: ``inferer(images, network)``, one of MONAI's; ``SimpleInferer`` by default. Where it
            joins windows, gradients are those of the joined output.
        classes: how the output becomes classes: two by softmax by default.
        intensity_range: what of the input's values is grey level 0 and 255.
        batch_statistics: see :func:`evaluation_mode`; for gradients only.
        on_gradient: called before each gradient, for a progress bar.
        subject: what is attacked, the begin of messages.

    Raises:
        InputError: if the intensity range does not rise.

    Example:
        >>> attacked = AttackedNetwork(UNet(1, 2))
        >>> adversarial = UniformNoise()(attacked, 255 * image, label, [2.0, 8.0])
    """

    def __init__(
        self,
        network: nn.Module,
        inferer: Callable[[torch.Tensor, nn.Module], Any] | None = None,
        classes: OutputClasses | None = None,
        intensity_range: tuple[float, float] = (0.0, 1.0),
        *,
        batch_statistics: bool = False,
        on_gradient: Callable[[], object] | None = None,
        subject: str = "The attacked network",
    ) -> None:
        self.network = network
        self.inferer = SimpleInferer() if inferer is None else inferer
        self.classes: OutputClasses = Softmax() if classes is None else classes
        check_intensity_range(intensity_range)
        low, high = intensity_range
        self._low, self._scale = low, GREY_LEVELS / (high - low)
        self.batch_statistics = batch_statistics
        self.on_gradient = on_gradient
        self.subject = subject

    def grey_levels(self, images: torch.Tensor) -> torch.Tensor:
        """Return images in grey levels, of such in the network's own range."""
        return (images - self._low) * self._scale

    def images(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return pictures in grey levels in the network's own range."""
        return pictures / self._scale + self._low

    def value_and_gradient(
        self, pictures: torch.Tensor, loss: Callable[[Any], torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a loss of the logits in evaluation mode, and the gradient of its sum with respect to the pictures.

        Args:
            pictures: (B, C, *spatial) in grey levels.
            loss: from the logits, see ``OutputClasses.logits``, to numbers.

        Raises:
            InputError: if the network does not take the pictures, or the loss does not take what it gives.
            FloatingPointError: if the gradient is not finite.
        """
        if self.on_gradient is not None:
            self.on_gradient()
        with evaluation_mode(self.network, batch_statistics=self.batch_statistics), torch.enable_grad():
            pictures = pictures.detach().requires_grad_()
            output = network_output(self.network, self.inferer, self.images(pictures), self.subject)
            with explain_misfits(
                f"{self.subject}: the attack's loss cannot be computed from {describe_output(output)}, which the "
                "attacked network gives"
            ):
                value = loss(self.classes.logits(output))
                gradient = torch.autograd.grad(value.sum(), pictures)[0]
        if not torch.isfinite(gradient).all():
            raise FloatingPointError(
                "The attack's gradient is not finite; the network or the loss overflows on this image."
            )
        return value.detach(), gradient

    def predict(self, pictures: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Return the masks that the network predicts for pictures in grey levels, of the shape of the true ones.

        Raises:
            InputError: if the network does not take the pictures, or gives something else than finite logits of the
                classes.
        """
        with evaluation_mode(self.network), torch.no_grad():
            output = network_output(self.network, self.inferer, self.images(pictures), self.subject)
        check_logits(output, len(label), label.shape[2:], self.subject, self.classes.channels)
        return self.classes.decide(output)

    def scores(self, prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Return DIC and JSC of each image, (B, 2), the mean over the classes, see :func:`dic_jsc`."""
        return dic_jsc(self.classes.foreground(prediction), self.classes.foreground(label))
