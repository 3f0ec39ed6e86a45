# SPDX-License-Identifier: Apache-2.0
"""What images, masks and logits must be, with messages that say what they are instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .errors import InputError, OutOfMemory

__all__ = [
    "check_finite",
    "check_images",
    "check_logits",
    "check_mask_size",
    "check_masks",
    "describe_output",
    "explain_misfits",
    "network_output",
    "rounding",
    "short_number",
]

# what torch and losses raise for a tensor of another shape or type, or for no tensor at all
MISFITS = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)

_SCALE = (
    "scale them in the preprocessing (grey levels of 0 to 255 with ScaleIntensityRanged, a_min=0, a_max=255, b_min=0, "
    "b_max=1), and let the network itself do what else it needs, such as subtracting a mean"
)


def check_images(
    images: object, subject: str, intensity_range: tuple[float, float] = (0.0, 1.0), remedy: str = _SCALE
) -> None:
    """Refuse images that are not a float tensor (B, C, *spatial) within a range, as networks and attacks take them.

    Args:
        images: the images of a batch.
        subject: what they are, the beginning of the message.
        intensity_range: the lowest and the highest value that they may hold, but for :func:`rounding`.
        remedy: what to do about images outside the range, the end of the message.

    Raises:
        InputError: if they are something else; the message says what they are.
    """
    low, high = intensity_range
    if not isinstance(images, torch.Tensor) or not images.is_floating_point() or images.ndim < 3:
        raise InputError(
            f"{subject}: the images must be a tensor (B, C, *spatial) of floating-point numbers in "
            f"[{low:g}, {high:g}], but are {describe_output(images)}; load them with LoadImaged, "
            "EnsureChannelFirstd and EnsureTyped."
        )
    check_finite(images, subject)
    lowest, highest = images.min(), images.max()
    allowed = rounding(intensity_range)
    # in the images' own number type, in which the range's ends are rounded, too
    if lowest < images.new_tensor(low - allowed) or highest > images.new_tensor(high + allowed):
        held, wanted = ([short_number(float(each)) for each in ends] for ends in ((lowest, highest), (low, high)))
        raise InputError(
            f"{subject}: the images hold values from {' to '.join(held)}, but must be in [{', '.join(wanted)}]; "
            f"{remedy}."
        )


def check_finite(images: torch.Tensor, subject: str) -> None:
    """Refuse images (B, C, *spatial) with values that are no numbers, or infinite.

    Args:
        images: the images of a batch.
        subject: what they are, the beginning of the message.

    Raises:
        InputError: if there are some; the message says in which image.
    """
    finite = torch.isfinite(images).flatten(1).all(1)
    if not finite.all():
        which = "the image" if len(images) == 1 else f"image {finite.tolist().index(False) + 1} of the {len(images)}"
        raise InputError(
            f"{subject}: {which} holds values that are no numbers, or infinite; correct its file or the preprocessing."
        )


def rounding(intensity_range: tuple[float, float]) -> float:
    """Return how far rounding may carry an image out of its range: four steps of float32 at the range's larger end."""
    return 4 * torch.finfo(torch.float32).eps * max(map(abs, intensity_range))


def short_number(value: float) -> str:
    """Return a number in the fewest digits, but six where it has as many, that give the same float32 again.

    Example:
        >>> short_number(0.25), short_number(-2.117904)
        ('0.25', '-2.117904')
    """
    texts = [f"{value:.{digits}g}" for digits in range(6, 10)]
    # nine digits are enough for every float32
    return next((text for text in texts if torch.tensor(float(text)) == torch.tensor(value)), texts[-1])


def check_masks(masks: object, count: int, subject: str, channels: int = 1, labels: int = 1) -> None:
    """Refuse masks that are not a tensor (B, channels, *spatial) of whole numbers from 0 to ``labels``.

    Args:
        masks: the masks of a batch.
        count: B, the number of its images.
        subject: what they are, the beginning of the message.
        channels: how many they should have.
        labels: the greatest number that they should hold.

    Raises:
        InputError: if they are something else; the message says what they are.
    """
    if (
        not isinstance(masks, torch.Tensor)
        or masks.ndim < 3
        or masks.shape[:2] != (count, channels)
        or masks.dtype == torch.bool
    ):
        raise InputError(
            f"{subject}: the masks must be a tensor ({count}, {channels}, *spatial) of numbers, but are "
            f"{describe_output(masks)}; turn them into {_count(channels)} of numbers with EnsureChannelFirstd and "
            "EnsureTyped."
        )
    if not ((masks == masks.round()) & (masks >= 0) & (masks <= labels)).all():
        wanted = "0 and 1 only" if labels == 1 else f"whole numbers from 0 to {labels} only"
        raise InputError(
            f"{subject}: the masks hold values from {masks.min().item():g} to {masks.max().item():g}, but must hold "
            f"{wanted}; correct this in the preprocessing with AsDiscreted{' and a threshold' if labels == 1 else ''}."
        )


def check_mask_size(masks: torch.Tensor, images: torch.Tensor, subject: str) -> None:
    """Refuse masks that have not the size of their images, where the network gives logits of this size.

    Args:
        masks: (B, C', *spatial).
        images: (B, C, *spatial).
        subject: what they are, the beginning of the message.

    Raises:
        InputError: if the sizes differ; the message says both.
    """
    if masks.shape[2:] != images.shape[2:]:
        raise InputError(
            f"{subject}: the masks have the size {tuple(masks.shape[2:])}, but their images "
            f"{tuple(images.shape[2:])}; give each image a mask of its own size."
        )


def check_logits(logits: object, count: int, spatial: Sequence[int], subject: str, channels: int = 2) -> None:
    """Refuse a network's output that is not a float tensor (B, channels, *spatial) of finite logits.

    Where the predicted mask is the argmax over two channels or more, one channel, and any NaN, would give background
    without a word.

    Args:
        logits: the output for a batch.
        count: B, the number of images.
        spatial: size of the masks that it is compared with, or drawn as.
        subject: what the output is for, the beginning of the message.
        channels: how many it should have: one for each class, the background first.

    Raises:
        InputError: if it is something else; the message says what it is.
    """
    shape = (count, channels, *spatial)
    if (
        not isinstance(logits, torch.Tensor)
        or tuple(logits.shape) != shape
        or logits.dtype not in (torch.float32, torch.float64)
    ):
        raise InputError(
            f"{subject}: the network must give logits, background first, as a tensor of shape {shape} and type "
            f"torch.float32, but gives {describe_output(logits)}; change it, or wrap it in a module that gives this."
        )
    if not torch.isfinite(logits).all():
        raise InputError(
            f"{subject}: the network gives logits that are not finite; its weights come from a training that "
            "diverged, or its numbers overflow; name other weights."
        )


def network_output(
    network: nn.Module, inferer: Callable[[torch.Tensor, nn.Module], Any], images: torch.Tensor, subject: str
) -> Any:
    """Run a network on a batch of images.

    Args:
        network: the network.
        inferer: how it is run, one of MONAI's inferers.
        images: (B, C, *spatial).
        subject: what the images are, the beginning of the message.

    Returns:
        What the network gives, which may be anything.

    Raises:
        InputError: if it cannot take the images, such as those with another number of channels.
    """
    with explain_misfits(
        f"{subject}: {type(network).__name__} cannot take images that are {describe_output(images)}; give it as many "
        "channels and pixels as it is made for"
    ):
        return inferer(images, network)


def describe_output(output: object) -> str:
    """Describe what a network, or anything else that should give a tensor, has given."""
    if isinstance(output, torch.Tensor):
        return f"a tensor of shape {tuple(output.shape)} and type {output.dtype}"
    if isinstance(output, Mapping):
        return f"a dictionary with the keys {', '.join(repr(key) for key in output)}"
    if isinstance(output, (list, tuple)) and output:
        return f"a {type(output).__name__} of {len(output)}, the first being {describe_output(output[0])}"
    return f"a value of type {type(output).__name__}"


@contextmanager
def explain_misfits(what: str) -> Iterator[None]:
    """Turn what a network or a loss raises for tensors it cannot take into an ``InputError``.

    Args:
        what: what goes wrong then, the beginning of the message.
    """
    try:
        yield
    except InputError:
        raise
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            "The GPU's memory is not enough: take smaller batches (batch_size of the settings or of the dataloader) or "
            f"smaller windows ({' '.join(str(error).split())})."
        ) from error
    except MISFITS as error:
        raise InputError(f"{what} ({type(error).__name__}: {' '.join(str(error).split())}).") from error


def _count(channels: int) -> str:
    return "one channel" if channels == 1 else f"{channels} channels"
