# Copyright (c) The NLCEN authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.utils import InputError

from .iterative_fgsm import Gradient

__all__ = ["frozen", "inverse_mask", "targeted_gradient"]


def targeted_gradient(
    network: Callable[[torch.Tensor], torch.Tensor],
    loss_function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    target: torch.Tensor,
) -> Gradient:
    """Return the gradient that drives ``network`` towards ``target``: ∇_x L(f(x / 255), target).

    Args:
        network: from pictures in [0, 1] to logits; put it into ``frozen`` first.
        loss_function: from logits and target to a scalar. A sum over pixels keeps the images of a batch independent.
        target: what the attack wants the network to predict, for example ``inverse_mask(label)``.

    Returns:
        From pictures (B, C, *spatial) in grey levels 0 to 255 to the gradient with respect to them, nothing else.
    """

    def gradient(image: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            image = image.detach().requires_grad_()
            loss = loss_function(network(image / 255), target)
            return torch.autograd.grad(loss, image)[0]

    return gradient


def inverse_mask(label: torch.Tensor) -> torch.Tensor:
    """Return S_t of the paper, 1 − label, for a mask of 0 and 1.

    Raises:
        InputError: if the mask holds other values, or truth values instead of numbers.
    """
    if not ((label == 0) | (label == 1)).all():
        raise InputError(
            "inverse_mask: the mask must hold 0 and 1 only; the paper's target is defined for two classes."
        )
    if label.dtype == torch.bool:
        raise InputError("inverse_mask: the mask must hold numbers, got torch.bool; convert it with .float().")
    return 1 - label


@contextmanager
def frozen(network: nn.Module, *, batch_statistics: bool = False) -> Iterator[None]:
    """Hold ``network`` in evaluation mode with constant parameters, and leave it exactly as it was found.

    In evaluation mode batch normalization does not see the attacked batch, and dropout is off. Constant parameters
    spare the backward pass their gradients.

    Args:
        network: the network.
        batch_statistics: let batch normalization alone use the statistics of the batch, without keeping them. This is
            the mistake of an attack that forgets the evaluation mode; it is here to show what comes of it.
    """
    modes = {module: module.training for module in network.modules()}
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    tracking = [norm.track_running_stats for norm in norms]
    tracked = {parameter: parameter.requires_grad for parameter in network.parameters()}
    network.eval()
    network.requires_grad_(False)
    try:
        if batch_statistics:
            for norm in norms:
                norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for norm, tracks in zip(norms, tracking, strict=True):
            norm.track_running_stats = tracks
        for parameter, requires_grad in tracked.items():
            parameter.requires_grad_(requires_grad)
