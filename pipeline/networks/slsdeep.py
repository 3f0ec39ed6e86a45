# SPDX-License-Identifier: Apache-2.0
"""SLSDeep, one of the compared networks."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.nets.resnet import ResNetBottleneck
from torch import nn

from pipeline.weights import load_backbone_weights

from .image_normalization import ImageNormalization

__all__ = ["SLSDeep"]


class SLSDeep(nn.Module):
    """SLSDeep (Sarker et al., MICCAI 2018), after the authors' released code.

    The encoder is a ResNet-50 whose first layer is three 3×3 convolutions (64, 64 and 128 channels, the first with
    stride 2) and whose last two stages are dilated (2 and 4) instead of strided: 2048 channels at 1/8 of the input's
    size. The decoder pools them to 1×1, 2×2, 3×3 and 6×6, reduces each to 512 channels, upsamples and concatenates all
    (4096 channels), and predicts with two 3×3 convolutions, of which the second acts at 1/4 of the input's size.

    Deviations from the released code:

    - no ReLU and no Dropout(0.5) after the last batch normalization. A ReLU on the logits gives exactly no gradient
      wherever both are negative, which would hide these pixels from an attack; what is attacked must be logits;
    - logits instead of their log-softmax, which belongs to the loss;
    - the second convolution acts at twice the encoder's size, not at 96×96, which is the same for the code's images of
      384×384; and the output has the input's size, whatever that is;
    - no interpolation aligns corners, as PyTorch's before 0.4 did;
    - the image is normalized inside, so that an attack acts on the picture itself;
    - no pre-training unless ``backbone_weights`` is given (the code's encoder is pre-trained).

    An NLCE's place is behind ``encoder``, after the last strided layer and before anything is upsampled (the pyramid's
    pooled features are the first). The weights are kept
    channels-last, the faster layout.

    Args:
        in_channels: channels of the image, 1 or 3 usually.
        out_channels: number of classes, the background included.
        backbone_weights: file with a state dict of this encoder, as the MIT scene-parsing project's ResNet-50 with
            three first convolutions (``fc.*`` is left out; torchvision's ResNet-50 has another first layer). For
            1-channel images the first convolution is summed over RGB.
        image_mean: mean of each channel to subtract from images in [0, 1]; ImageNet's by default.
        image_std: standard deviation of each channel to divide by; ImageNet's by default.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up. B ≥ 2 in training mode, where the 1×1 pooled
        features have one value per image to normalize over.
        output: logits (B, out_channels, H, W) in either mode.

    Raises:
        InputError: if the number of means or deviations is not ``in_channels``, or ``backbone_weights`` is missing, is
            no state dict or is one of another network.

    Example:
        >>> SLSDeep(in_channels=3, out_channels=2).eval()(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 2,
        backbone_weights: str | os.PathLike[str] | None = None,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.normalization = ImageNormalization(in_channels, image_mean, image_std)
        # named as in the released weights
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (into, out) in enumerate(((in_channels, 64), (64, 64), (64, 128)), start=1):
            stride = 2 if number == 1 else 1
            layers[f"conv{number}"] = nn.Conv2d(into, out, 3, stride=stride, padding=1, bias=False)
            layers[f"bn{number}"] = nn.BatchNorm2d(out)
            layers[f"relu{number}"] = nn.ReLU(inplace=True)
        layers["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
        layers["layer1"] = _stage(128, 64, 3)
        layers["layer2"] = _stage(256, 128, 4, stride=2)
        layers["layer3"] = _stage(512, 256, 6, dilation=2)
        layers["layer4"] = _stage(1024, 512, 3, dilation=4)
        self.encoder = nn.Sequential(layers)
        self.pyramid = nn.ModuleList(
            nn.Sequential(
                _AdaptiveAveragePool(size), nn.Conv2d(2048, 512, 1, bias=False), nn.BatchNorm2d(512), nn.ReLU(True)
            )
            for size in (1, 2, 3, 6)
        )
        self.fusion = nn.Sequential(
            nn.Conv2d(2048 + 4 * 512, 512, 3, padding=1, bias=False), nn.BatchNorm2d(512), nn.ReLU(inplace=True)
        )
        self.head = nn.Sequential(nn.Conv2d(512, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels))
        self._reset_parameters()
        if backbone_weights is not None:
            load_backbone_weights(self.encoder, backbone_weights, in_channels)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.encoder(self.normalization(x))
        height, width = features.shape[2:]
        parts = [features]
        for pool in self.pyramid:
            parts.append(_resize(pool(features), [height, width]))
        fused = self.fusion(torch.cat(parts, dim=1))
        logits = self.head(_resize(fused, [2 * height, 2 * width]))
        return _resize(logits, list(x.shape[2:]))

    def _reset_parameters(self) -> None:
        """The released code's start: He's normal for the encoder, N(0, 0.001) for the decoder's convolutions."""
        for module in self.encoder.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for part in (self.pyramid, self.fusion, self.head):
            for module in part.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.normal_(module.weight, std=0.001)
                elif isinstance(module, nn.BatchNorm2d):
                    nn.init.normal_(module.weight, mean=1.0, std=0.02)


class _AdaptiveAveragePool(nn.AdaptiveAvgPool2d):
    """The same, which ONNX lacks for pictures of any size: exported are two products with matrices that average."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_scripting():
            return F.adaptive_avg_pool2d(x, self.output_size)
        return self._products(x) if torch.compiler.is_exporting() else super().forward(x)

    def _products(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = (self._averages(x, size) for size in x.shape[2:])
        return rows @ x @ columns.T

    def _averages(self, x: torch.Tensor, size: int) -> torch.Tensor:
        """(cells, size): row i holds 1/n at the n positions that cell i averages."""
        cells = int(self.output_size)  # type: ignore[arg-type]
        cell = torch.arange(cells, device=x.device).unsqueeze(1)
        position = torch.arange(size, device=x.device)
        first, end = cell * size // cells, ((cell + 1) * size + cells - 1) // cells
        inside = ((position >= first) & (position < end)).to(x.dtype)
        return inside / inside.sum(dim=1, keepdim=True)


def _stage(in_channels: int, planes: int, count: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """A stage of ResNet-50; the first of its 3×3 convolutions, elsewhere the strided one, has half the dilation."""
    channels = planes * ResNetBottleneck.expansion
    shortcut = nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels))
    blocks = [ResNetBottleneck(in_channels, planes, spatial_dims=2, stride=stride, downsample=shortcut)]
    blocks += [ResNetBottleneck(channels, planes, spatial_dims=2) for _ in range(count - 1)]
    for index, block in enumerate(blocks):
        rate = max(dilation // 2, 1) if index == 0 else dilation
        # MONAI's block has no argument for it
        block.conv2.dilation = block.conv2.padding = (rate, rate)
    return nn.Sequential(*blocks)


def _resize(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
