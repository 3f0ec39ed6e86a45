# SPDX-License-Identifier: Apache-2.0
"""NWCN, one of the compared networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks.nets.resnet import ResNetBlock
from torch import nn

from pipeline.utils import InputError

from .image_normalization import ImageNormalization

__all__ = ["NWCN"]

# of the residual blocks' convolutions
DILATIONS = (1, 2, 4, 8, 16, 1)


class NWCN(nn.Module):
    """Network-wise trained convolutional network (Hwang and Park, DLMIA 2017), with two subnetworks.

    Both are small residual networks with dilated ("atrous") convolutions. The second gets the image and the foreground
    that the first found, and corrects it. They are trained one after the other, "network-wise": the second with the
    first frozen.

    No code was released, and the paper's layers are not at hand. From its abstract: dilated convolutions, several
    subnetworks of few parameters of which each gets the image and the output of the one before, trained network-wise.
    Ours, then:

    - two subnetworks, as many as He et al. (AAAI 2019) speak of;
    - the layers of each: 3×3 convolutions of 16, 32 (stride 2) and 32 (stride 2) channels; six residual blocks of two
      3×3 convolutions with 32 channels, with dilations of 1, 2, 4, 8, 16 and 1; a 1×1 convolution; bilinear upsampling
      to the input's size. That makes 0.13 million parameters each, about what is said of the original's;
    - the foreground is handed on as the first's softmax, which does not hide the first from an attack: in evaluation
      mode the gradient passes both;
    - the image is normalized inside, so that an attack acts on the picture itself; weights start as torch's do.

    The places of an NLCE, between the last downsampling and the upsampling, are behind ``first.bottleneck`` and
    ``second.bottleneck``.

    Training is ``NetworkWiseTraining``'s task, which calls ``train_stage``. ``DistributedDataParallel`` needs
    ``find_unused_parameters=True``, as half of them rest at any time.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes, the background included.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up.
        output: logits (B, out_channels, H, W): the second subnetwork's in evaluation mode, in training mode, and while
        the first is trained, those of the one that is trained.

    Example:
        >>> NWCN(in_channels=1, out_channels=2).eval()(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(self, in_channels: int, out_channels: int = 2) -> None:
        super().__init__()
        self.stage = -1  # which subnetwork is trained; before any is: the network is whole in evaluation mode
        self.normalization = ImageNormalization(in_channels)
        self.first = _Subnetwork(in_channels, out_channels)
        self.second = _Subnetwork(in_channels + out_channels - 1, out_channels)

    def train_stage(self, stage: int) -> None:
        """Train the first (0) or the second (1) subnetwork from now on; the other one stays as it is to the bit.

        While the first is trained, it is the network, in evaluation mode, too: the second is at its random start, which
        an adversarial training would attack otherwise.
        While the second is trained, the first is in evaluation mode, even after ``train()``, and gets no gradient.

        Raises:
            InputError: if ``stage`` is neither 0 nor 1.
        """
        if stage not in (0, 1):
            raise InputError(f"NWCN: the stage must be 0 or 1, got {stage}.")
        self.stage = stage
        for parameter in (self.second if stage == 0 else self.first).parameters():
            # an optimizer leaves alone what has no gradient, but decays the weights of what has one of zero
            parameter.grad = None
        self.train(self.training)

    def train(self, mode: bool = True) -> NWCN:
        super().train(mode)
        if self.stage == 1:
            self.first.eval()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.normalization(x)
        if self.training and self.stage == 1:
            with torch.no_grad():
                logits = self.first(x)
        else:
            logits = self.first(x)
            if self.training or self.stage == 0:
                return logits
        found = torch.softmax(logits, dim=1)[:, 1:]
        return self.second(torch.cat([x, found], dim=1))


class _Subnetwork(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.downsampling = nn.Sequential(
            *_convolution(in_channels, 16), *_convolution(16, 32, stride=2), *_convolution(32, 32, stride=2)
        )
        self.bottleneck = nn.Sequential(*(_residual_block(32, dilation) for dilation in DILATIONS))
        self.head = nn.Conv2d(32, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.head(self.bottleneck(self.downsampling(x)))
        return F.interpolate(logits, size=list(x.shape[2:]), mode="bilinear", align_corners=False)


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _residual_block(channels: int, dilation: int) -> ResNetBlock:
    block = ResNetBlock(channels, channels, spatial_dims=2)
    for convolution in (block.conv1, block.conv2):
        # MONAI's block has no argument for it
        convolution.dilation = convolution.padding = (dilation, dilation)
    return block
