# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from pipeline.networks import NLCEN

from .options import Options

__all__ = ["random_batch", "random_network", "training_bundle"]


def random_batch(options: Options) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (B, 1, H, W) in [0, 1] that are no whole grey levels, as resized ones are, and masks of {0, 1}."""
    generator = torch.Generator().manual_seed(0)
    shape = (options.batch, 1, options.size, options.size)
    image = torch.rand(shape, generator=generator)
    label = (torch.rand(shape, generator=generator) < 0.5).float()
    return image.to(options.device), label.to(options.device)


def random_network(options: Options) -> NLCEN:
    """NLCEN-ResNet-18 with random weights and the running statistics of one random batch, in evaluation mode.

    Without statistics that fit, the features of random weights grow from layer to layer, and rounding with them.
    """
    torch.manual_seed(0)
    network = NLCEN(in_channels=1)
    # zero at the start of a training, which would hide the NLCE from the comparison of attacks
    for module in network.nlce:
        torch.nn.init.normal_(module.w_z.weight, std=0.01)
        torch.nn.init.normal_(module.w_gamma.weight, std=0.01)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    network.to(options.device).train()
    with torch.no_grad():
        network(random_batch(options)[0])
    return network.eval()


def training_bundle(options: Options, overlays: Sequence[str] = (), **overrides: Any) -> ConfigParser:
    """The bundle's training configuration at the benchmark's size, so that what is measured is what is trained.

    Args:
        options: the size.
        overlays: names of the bundle's files to lay over it.
        overrides: values of single keys.
    """
    configs = Path(__file__).parents[1] / "bundles" / "nlcen_jsrt" / "configs"
    parser = ConfigParser()
    parser.read_config([configs / f"{name}.json" for name in ("train", *overlays)])
    parser.update(
        {
            "device": f"$torch.device('{options.device}')",
            "image_size": [options.size, options.size],
            "batch_size": options.batch,
            "progress": False,
            **overrides,
        }
    )
    return parser
