# SPDX-License-Identifier: Apache-2.0
"""What the batches of any MONAI bundle hold: names, masks, the range of values, and the classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.utils import convert_to_tensor

from pipeline.attacks import AttackedNetwork, OutputClasses, Sigmoid, Softmax, evaluation_mode
from pipeline.utils import InputError, check_mask_size, describe_output, network_output

__all__ = ["find_classes", "image_names", "measure_range", "whole_masks"]


def image_names(batch: Mapping[str, Any], count: int, first: int) -> list[str]:
    """Return a name for each image of a batch: its ``id``, else its file with the folder, else its number.

    Args:
        batch: with the key ``image``, and ``id`` where the data list has it.
        count: how many images it holds.
        first: the number of its first image.
    """
    if "id" in batch:
        names = [batch["id"]] if isinstance(batch["id"], str) else batch["id"]
        return [str(name.item() if isinstance(name, torch.Tensor) else name) for name in names]
    image = batch.get("image")
    meta = image.meta if isinstance(image, MetaTensor) else batch.get("image_meta_dict", {})
    files = meta.get("filename_or_obj") if isinstance(meta, Mapping) else None
    files = [files] if isinstance(files, str) else files
    if files is not None and len(files) == count:
        return ["/".join(Path(str(file)).parts[-2:]) for file in files]
    return [f"image {first + index + 1}" for index in range(count)]


def whole_masks(label: torch.Tensor, classes: OutputClasses) -> tuple[torch.Tensor, torch.Tensor]:
    """Return masks as the classes need them, and for each image, (B,), whether some values were not whole numbers.

    Such values are truncated, as MONAI's one-hot does in the bundle's own metrics. One-hot masks of classes that
    exclude each other become their numbers.

    Raises:
        InputError: if there is a mask for each class, and these overlap or leave pixels out, though by the network's
            softmax they can't; or a value is not finite.
    """
    label = convert_to_tensor(label)
    if not torch.isfinite(label).all():
        raise InputError("label: the masks hold values that are not numbers; correct them.")
    whole = label.long()
    cut = (whole != label).flatten(1).any(1)
    if classes.mask_channels == 1 and label.shape[1] == classes.channels > 1:
        if not ((whole == 0) | (whole == 1)).all() or (whole.sum(1) != 1).any():
            raise InputError(
                f"label: the {classes.channels} masks of an image overlap or leave pixels out, but a softmax makes one "
                "class of each pixel; if a sigmoid makes the masks, say --robustness_assessment#sigmoid true; "
                "in training use the setting classes of AdversarialBatch."
            )
        whole = whole.argmax(1, keepdim=True)
    return whole.to(torch.float64 if label.dtype == torch.float64 else torch.float32), cut


def measure_range(images: Iterable[torch.Tensor]) -> tuple[float, float]:
    """Return the values of grey level 0 and 255 where none are stated: 0 and 1 if all values fit, else their range.

    Raises:
        InputError: if there is no image, all values are the same, or one is not a number.
    """
    lowest, highest = float("inf"), float("-inf")
    for image in images:
        if not torch.isfinite(image).all():
            raise InputError("image: the pictures hold values that are not numbers; correct the preprocessing.")
        lowest, highest = min(lowest, image.min().item()), max(highest, image.max().item())
    if lowest >= 0 and 0.05 < highest <= 1:
        return 0.0, 1.0
    if not lowest < highest:
        raise InputError(
            "image: there are no pictures, or all their values are the same; check dataset_dir and the preprocessing."
        )
    return lowest, highest


def find_classes(attacked: AttackedNetwork, image: torch.Tensor, label: torch.Tensor, sigmoid: bool) -> OutputClasses:
    """Return how the output of a network becomes classes, from what it gives for a batch.

    Args:
        attacked: the network.
        image: a batch (B, C, *spatial) in the network's own range.
        label: its masks.
        sigmoid: whether the bundle makes masks of it by a sigmoid: labels that may overlap.

    Raises:
        InputError: if the masks have not the images' size, which the output has; the output is not a tensor of the
            mask's size, or has one channel without a sigmoid.
    """
    with evaluation_mode(attacked.network), torch.no_grad():
        output = network_output(attacked.network, attacked.inferer, image, attacked.subject)
    if isinstance(output, torch.Tensor) and output.shape[2:] == image.shape[2:]:
        check_mask_size(label, image, attacked.subject)
    if not isinstance(output, torch.Tensor) or output.shape[2:] != label.shape[2:] or len(output) != len(label):
        raise InputError(
            f"{attacked.subject}: logits (B, classes, *spatial) of the masks' size {tuple(label.shape[2:])} are "
            f"needed, but the network gives {describe_output(output)}; wrap it in a module that gives them."
        )
    channels = output.shape[1]
    if sigmoid:
        return Sigmoid(channels)
    if channels == 1:
        raise InputError(
            f"{attacked.subject}: the network has one output channel, of which a softmax makes 1 everywhere; give it a "
            "channel for each class, or say in validate#postprocessing that a sigmoid follows."
        )
    return Softmax(channels)
