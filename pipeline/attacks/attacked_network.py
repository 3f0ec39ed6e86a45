# SPDX-License-Identifier: Apache-2.0
"""A network as attacks see it: in grey levels, with gradients and scores."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from monai.inferers import SimpleInferer, SlidingWindowInferer
from torch import nn
from torch.utils.checkpoint import checkpoint

from pipeline.metrics import dic_jsc
from pipeline.utils import (
    InputError,
    OutOfMemory,
    check_logits,
    check_mask_size,
    check_masks,
    describe_output,
    explain_misfits,
    network_output,
    rounding,
)

from .evaluation_mode import evaluation_mode
from .grey_levels import check_intensity_range
from .output_classes import OutputClasses, Softmax

__all__ = ["GREY_LEVELS", "AttackedNetwork", "Slope"]

GREY_LEVELS = 255


class Slope(NamedTuple):
    """What a loss is at some pictures.

    Attributes:
        value: of the loss.
        gradient: of its sum, of the pictures' shape.
        output: what the network gave.
        lost: share of the numbers of each image's gradient that were not finite, and are 0 instead, (B,).
    """

    value: torch.Tensor
    gradient: torch.Tensor
    output: Any
    lost: torch.Tensor

    @property
    def not_finite(self) -> float:
        """``lost`` of all images together."""
        return self.lost.mean().item()


class AttackedNetwork:
    """What an attack sees of a network: logits, gradients and predictions for pictures in grey levels.

    An intensity range of the network's input, [0, 1] by default, is cut into grey levels of 0 to 255. Attacks work in
    grey levels, whatever the network takes: computed tomography from -1000 to 400 HU says ``intensity_range=(-1000,
    400)``, and a grey level is 5.5 HU then.

    Args:
        network: from images (B, C, *spatial) in its own range to an output as ``classes`` has it.
        inferer: how it is run: ``inferer(images, network)``, one of MONAI's; ``SimpleInferer`` by default. Where it
            joins windows, gradients are those of the joined output, and of each window only the input is kept.
        classes: how the output becomes classes: two by softmax by default.
        intensity_range: what of the input's values is grey level 0 and 255.
        batch_statistics: see :func:`evaluation_mode`; for gradients only.
        precision: number type of passes for gradients, such as ``torch.bfloat16``; None for the network's own. A pass
            that fails in it, or gives a gradient that is not finite, is made again in the network's own. Predictions
            are always made in the network's own.
        keep_going: whether numbers of a gradient that are not finite count as 0, see ``Slope.not_finite``, instead of
            being an error.
        on_gradient: called before each gradient, for a progress bar.
        on_pictures: called with all pictures that go through the network.
        on_slope: called after each gradient with its :class:`Slope`.
        subject: what is attacked, the beginning of messages.

    Raises:
        InputError: if the intensity range does not rise.

    Example:
        >>> attacked = AttackedNetwork(network)
        >>> attacked.scores(attacked.predict(attacked.grey_levels(image), label), label).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        network: nn.Module,
        inferer: Callable[[torch.Tensor, nn.Module], Any] | None = None,
        classes: OutputClasses | None = None,
        intensity_range: tuple[float, float] = (0.0, 1.0),
        *,
        batch_statistics: bool = False,
        precision: torch.dtype | None = None,
        keep_going: bool = False,
        on_gradient: Callable[[], object] | None = None,
        on_pictures: Callable[[torch.Tensor], object] | None = None,
        on_slope: Callable[[Slope], object] | None = None,
        subject: str = "The attacked network",
    ) -> None:
        self.network = network
        self.inferer: Callable[..., Any] = SimpleInferer() if inferer is None else inferer
        self.classes: OutputClasses = Softmax() if classes is None else classes
        check_intensity_range(intensity_range)
        low, high = intensity_range
        self._low, self._scale = low, GREY_LEVELS / (high - low)
        self._largest = max(abs(low), abs(high))
        # of the image, and as much again by the conversion
        self._rounding = 2 * rounding(intensity_range) * self._scale
        self.batch_statistics = batch_statistics
        self.precision = precision
        self.keep_going = keep_going
        self.on_gradient = on_gradient
        self.on_pictures = on_pictures
        self.on_slope = on_slope
        self.subject = subject

    def like(self, network: nn.Module) -> AttackedNetwork:
        """Return another network that is run like this one, and counted with it."""
        other = copy.copy(self)
        other.network = network
        return other

    def grey_levels(self, images: torch.Tensor) -> torch.Tensor:
        """Return images in grey levels, from images in the network's own range.

        What leaves 0 to 255 by rounding alone is cut off; what is truly outside stays, and is refused by attacks.
        Images of 16 bits become float32, and the network is given that: in float16 an ε of 0.5 would come out as 0.6.
        """
        allowed = self._rounding
        if images.dtype in (torch.float16, torch.bfloat16):
            allowed += torch.finfo(images.dtype).eps / 2 * self._largest * self._scale
            images = images.float()
        levels = (images - self._low) * self._scale
        inside = levels.clamp(0, GREY_LEVELS)
        return torch.where((levels - inside).abs() <= allowed, inside, levels)

    def images(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return pictures in grey levels in the network's own range."""
        return pictures / self._scale + self._low

    def value_and_gradient(self, pictures: torch.Tensor, loss: Callable[[Any], torch.Tensor]) -> Slope:
        """Return a loss of the logits in evaluation mode, and the gradient of its sum with respect to the pictures.

        It is zero where the network lets none through, such as behind a threshold.

        Args:
            pictures: (B, C, *spatial) in grey levels.
            loss: from the logits, see ``OutputClasses.logits``, to numbers.

        Raises:
            InputError: if the network does not take the pictures, or the loss does not take what it gives.
            FloatingPointError: if the gradient is not finite, unless ``keep_going``.
        """
        if self.on_gradient is not None:
            self.on_gradient()
        self._show(pictures)
        slope = None if self.precision is None else self._fast_slope(pictures, loss)
        if slope is None:
            slope = self._slope(pictures, loss, None)
        if slope.not_finite and not self.keep_going:
            raise FloatingPointError(
                "The attack's gradient is not finite; the network or the loss overflows on this image."
            )
        if self.on_slope is not None:
            self.on_slope(slope)
        return slope

    def _fast_slope(self, pictures: torch.Tensor, loss: Callable[[Any], torch.Tensor]) -> Slope | None:
        """The slope in the fast precision; None where the network does not take it, or overflows in it."""
        try:
            slope = self._slope(pictures, loss, self.precision)
        except OutOfMemory:  # another precision needs more
            raise
        except InputError:
            return None
        return None if slope.not_finite else slope

    def _slope(
        self, pictures: torch.Tensor, loss: Callable[[Any], torch.Tensor], precision: torch.dtype | None
    ) -> Slope:
        with evaluation_mode(self.network, batch_statistics=self.batch_statistics), torch.enable_grad():
            pictures = pictures.detach().requires_grad_()
            with nullcontext() if precision is None else torch.autocast(pictures.device.type, precision):
                output = network_output(self.network, self._infer_frugally, self.images(pictures), self.subject)
            if precision is not None and isinstance(output, torch.Tensor):
                output = output.float()
            with explain_misfits(
                f"{self.subject}: the attack's loss cannot be computed from {describe_output(output)}, which the "
                "attacked network gives"
            ):
                value = loss(self.classes.logits(output))
                gradient = _gradient(value.sum(), pictures)
        finite = torch.isfinite(gradient)
        lost = (~finite).flatten(1).sum(1) / finite[0].numel()
        output = output.detach() if isinstance(output, torch.Tensor) else output
        return Slope(value.detach(), gradient.where(finite, 0), output, lost)

    def output(self, pictures: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Return what the network gives for pictures in grey levels, without a gradient.

        Raises:
            InputError: if the network does not take the pictures, or gives something else than finite logits of the
                classes, of the size of the masks.
        """
        self._show(pictures)
        with evaluation_mode(self.network), torch.no_grad():
            output = network_output(self.network, self.inferer, self.images(pictures), self.subject)
        if isinstance(output, torch.Tensor) and output.shape[2:] == pictures.shape[2:]:
            check_mask_size(label, pictures, self.subject)
        check_logits(output, len(label), label.shape[2:], self.subject, self.classes.channels)
        return output

    def predict(self, pictures: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Return the masks that the network predicts, of the shape of the true ones.

        Raises:
            InputError: see :meth:`output`; or if the true masks hold other numbers than the classes have.
        """
        output = self.output(pictures, label)
        if label.dtype != torch.bool:
            # 255 would be neither foreground nor refused by the scores
            check_masks(label, len(pictures), self.subject, self.classes.mask_channels, self.classes.labels)
        return self.classes.decide(output)

    def scores(self, prediction: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Return DIC and JSC of each image, (B, 2), the mean over the classes, see :func:`dic_jsc`."""
        return dic_jsc(self.classes.foreground(prediction), self.classes.foreground(label))

    def _show(self, pictures: torch.Tensor) -> None:
        if self.on_pictures is not None:
            self.on_pictures(pictures)

    def _infer_frugally(self, images: torch.Tensor, network: nn.Module) -> Any:
        """Infer; activations of a window are computed again in the backward pass instead of being kept."""
        if not isinstance(self.inferer, SlidingWindowInferer):
            return self.inferer(images, network)

        def frugal(window: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            return checkpoint(network, window, *args, use_reentrant=False, **kwargs)

        return self.inferer(images, frugal)


def _gradient(value: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    if not value.requires_grad:
        return torch.zeros_like(pictures)
    (gradient,) = torch.autograd.grad(value, pictures, allow_unused=True)
    return torch.zeros_like(pictures) if gradient is None else gradient
