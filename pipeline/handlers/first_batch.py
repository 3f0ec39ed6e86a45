# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from monai.data import list_data_collate
from monai.inferers import Inferer
from monai.losses import DeepSupervisionLoss
from monai.utils import CommonKeys, convert_to_tensor
from torch import nn
from torch.utils.data import DataLoader

from pipeline.attacks import evaluation_mode
from pipeline.utils import (
    InputError,
    check_images,
    check_logits,
    check_masks,
    describe_output,
    explain_misfits,
    network_output,
)

__all__ = ["check_evaluation", "check_training"]


def check_evaluation(network: nn.Module, inferer: Inferer, item: Mapping[str, Any], device: torch.device) -> None:
    """Try on one item of the test data whether it, and what the network gives for it, can be scored and attacked.

    Call it before anything is trained or written. The network and the random state stay as they are.

    Args:
        network: the network, on ``device``.
        inferer: the evaluator's.
        item: ``image`` (C, *spatial) and ``label`` (1, *spatial), after the evaluator's preprocessing.
        device: where the network is.

    Raises:
        InputError: if image, mask or logits are not what ``check_images``, ``check_masks`` and ``check_logits`` want.
    """
    subject = "The first test picture"
    image, label = _batch(item, 1, device)
    check_images(image, subject)
    check_masks(label, 1, subject)
    with evaluation_mode(network), _random_state(device), torch.no_grad():
        check_logits(network_output(network, inferer, image, subject), 1, label.shape[2:], subject)


def check_training(
    network: nn.Module,
    inferer: Inferer,
    loss_function: Callable[[Any, torch.Tensor], Any],
    item: Mapping[str, Any],
    dataloader: DataLoader[Any],
    device: torch.device,
) -> None:
    """Try on one item of the training data whether the loss takes what the network gives in training mode.

    That may be more than logits, such as ``NLCEN``'s list. Call it before anything is trained or written. The network,
    its batch statistics included, and the random state stay as they are.

    Args:
        network: the network, on ``device``.
        inferer: the trainer's.
        loss_function: the trainer's.
        item: ``image`` (C, *spatial) and ``label`` (1, *spatial), after the trainer's preprocessing.
        dataloader: the trainer's. Of the images of a batch, all like this one, two stand for any more.
        device: where the network is.

    Raises:
        InputError: if the mask is not as ``check_masks`` has it, network or loss cannot take what they get, the loss
            has other weights than the network has outputs, or the loader gives no batch.
    """
    subject = "The first training picture"
    count = min(_first_batch_size(dataloader, device), 2)
    image, label = _batch(item, count, device)
    check_masks(label, count, subject)
    with _training_mode(network), _random_state(device), torch.no_grad():
        output = network_output(network, inferer, image, subject)
        with explain_misfits(
            f"{subject}: the loss cannot be computed from what the network gives in training mode, "
            f"{describe_output(output)}, and the masks, {describe_output(label)}"
        ):
            loss_function(output, label).mean()
            _check_weights(loss_function, output)


def _first_batch_size(dataloader: DataLoader[Any], device: torch.device) -> int:
    """How many images the first batch has; images themselves are not loaded."""
    with explain_misfits("The training data cannot be put into batches"), _random_state(device):
        first = next(iter(dataloader.batch_sampler or ()), None)
    if not first:
        raise InputError("The training data give no batch; reduce --batch_size, or give more pictures.")
    return len(first)


def _check_weights(loss_function: Callable[[Any, torch.Tensor], Any], output: Any) -> None:
    """MONAI's ``DeepSupervisionLoss`` takes other weights without a word where its list is too short."""
    weights = loss_function.weights if isinstance(loss_function, DeepSupervisionLoss) else None
    outputs = len(output) if isinstance(output, (list, tuple)) else 1
    if weights is None:
        return
    count = len(weights)
    if outputs > 1 and count != outputs:
        raise InputError(f"loss#weights: the network gives {outputs} outputs, but {weights} are {count} weights.")
    if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise InputError(f"loss#weights: {weights}; give finite weights of at least 0, not all of them 0.")


def _batch(item: Mapping[str, Any], count: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    batch = list_data_collate([item] * count)
    image, label = (convert_to_tensor(batch[key], device=device) for key in (CommonKeys.IMAGE, CommonKeys.LABEL))
    return image, label


@contextmanager
def _training_mode(network: nn.Module) -> Iterator[None]:
    """Hold ``network`` in training mode, and leave it exactly as it was found, but for gradients."""
    modes = {module: module.training for module in network.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    network.train()
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        for module, training in modes.items():
            module.training = training


def _random_state(device: torch.device) -> Any:
    return torch.random.fork_rng([device] if device.type == "cuda" else [])
