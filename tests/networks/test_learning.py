# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from monai.losses import DeepSupervisionLoss
from monai.metrics import compute_dice
from monai.networks.utils import one_hot
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from data_prep.phantom_image import make_phantom
from pipeline.losses import PixelCrossEntropy
from pipeline.networks import CDNN, NLCEN, NWCN, InvertedNet, SLSDeep, UNet

pytestmark = pytest.mark.slow


def phantoms(indices: Sequence[int], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = [make_phantom(0, index, size) for index in indices]
    image = torch.stack([torch.from_numpy(image) for image, _ in pairs])
    label = torch.stack([torch.from_numpy(mask) for _, mask in pairs])
    return image.unsqueeze(1).float() / 255, (label.unsqueeze(1) > 0).float()


def train(network: nn.Module, image: torch.Tensor, label: torch.Tensor, epochs: int, batch_size: int) -> None:
    """The bundles' recipe: equations 4 and 5, Adam, a rate that falls when the loss does not."""
    loss_function = DeepSupervisionLoss(PixelCrossEntropy(), weights=[0.25] * 5)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.9, patience=0, threshold=0.0, min_lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(image), generator=generator).split(batch_size):
            loss = loss_function(network(image[chosen]), label[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
        scheduler.step(total)


@pytest.mark.parametrize(
    "kind, size, count, epochs, batch_size",
    [
        (NLCEN, 64, 48, 16, 4),
        (SLSDeep, 64, 48, 16, 4),
        (UNet, 32, 32, 12, 4),
        (InvertedNet, 32, 32, 12, 4),
        (CDNN, 64, 64, 16, 4),
        (NWCN, 48, 32, 24, 8),
    ],
)
def test_every_network_learns_to_segment_phantoms_that_it_has_not_seen(
    kind: type[nn.Module], size: int, count: int, epochs: int, batch_size: int
) -> None:
    torch.manual_seed(0)
    network = kind(1)
    image, label = phantoms(range(count), size)
    if isinstance(network, NWCN):
        for stage in (0, 1):
            network.train_stage(stage)
            train(network, image, label, epochs // 2, batch_size)
    else:
        train(network, image, label, epochs, batch_size)
    image, label = phantoms(range(1000, 1012), size)
    with torch.no_grad():
        prediction = network.eval()(image).argmax(1, keepdim=True)
    dic = compute_dice(one_hot(prediction, 2), one_hot(label, 2), include_background=False, ignore_empty=False)
    assert dic.mean() >= 0.85
