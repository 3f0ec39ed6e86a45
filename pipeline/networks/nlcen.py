# SPDX-License-Identifier: Apache-2.0
"""NLCEN, the paper's network."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from monai.networks.nets.resnet import ResNet, ResNetBottleneck, resnet18, resnet50
from torch import nn

from pipeline.utils import InputError
from pipeline.weights import load_backbone_weights

from .image_normalization import ImageNormalization
from .nlce import NLCE

__all__ = ["NLCEN"]

BACKBONES = {"resnet18": (resnet18, (64, 128, 256, 512)), "resnet50": (resnet50, (256, 512, 1024, 2048))}


class NLCEN(nn.Module):
    """Non-Local Context Encoding Network (He et al., AAAI 2019, section "NLCEN" and Figure 3).

    The global phase is a ResNet with an NLCE after the last block of conv2 … conv5 (E_2 … E_5) and the pyramid
    P_5 = conv1×1(E_5), P_i = E_i + upsample(conv1×1(P_{i+1})), each level with its own 3×3 prediction. The refinement
    phase passes P_2 … P_5 through 0, 1, 2, 3 bottlenecks, upsamples and concatenates them, and predicts from that.

    The network normalizes inside, so that an attack works on the picture itself. Its weights are kept channels-last,
    the faster layout on CPU and GPU.

    Args:
        in_channels: channels of the image, 1 or 3 usually.
        out_channels: number of classes, the background included.
        backbone: ``"resnet18"`` (the paper's for JSRT) or ``"resnet50"`` (the paper's for ISBI 2016).
        nlce: whether there are NLCE modules at all (False: the paper's "w/o NLCE").
        non_local: ``NLCE``'s (False: the paper's "w/o NL").
        context: ``NLCE``'s (False: the paper's "w/o CE").
        num_codes: ``NLCE``'s number of codewords K.
        scaled: ``NLCE``'s division of the attention's logits by √C′.
        zero_init: ``NLCE``'s start of W_z at zero.
        pyramid_channels: None for the paper's words (P_i has the channels of E_i, which is added as it is); a number
            puts a lateral 1×1 convolution to that width on each E_i, as in Lin et al. 2017.
        image_mean: mean of each channel to subtract from images in [0, 1]; ImageNet's by default.
        image_std: standard deviation of each channel to divide by; ImageNet's by default.
        backbone_weights: file with a torchvision-style ResNet state dict (``fc.*`` is left out). For 1-channel images
            the first convolution is summed over RGB.
        spatial_dims: 2 or 3.

    Shape:
        input: (B, in_channels, H, W) in [0, 1], or (B, in_channels, D, H, W); any size from 32 up.
        output: logits (B, out_channels, H, W) in evaluation mode; in training mode the list of five such tensors,
        ``[refined, P2, P3, P4, P5]``.

    Raises:
        InputError: if ``backbone`` is unknown, the number of means or deviations is not ``in_channels``, or
            ``backbone_weights`` is missing, is not a state dict or belongs to another network.

    Example:
        >>> NLCEN(in_channels=1, out_channels=2).eval()(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    __constants__ = ["interpolation"]

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 2,
        backbone: str = "resnet18",
        nlce: bool = True,
        non_local: bool = True,
        context: bool = True,
        num_codes: int = 32,
        scaled: bool = False,
        zero_init: bool = True,
        pyramid_channels: int | None = None,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        backbone_weights: str | os.PathLike[str] | None = None,
        spatial_dims: int = 2,
    ) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise InputError(f"NLCEN: backbone must be one of {', '.join(BACKBONES)}, got {backbone!r}.")
        self.normalization = ImageNormalization(in_channels, image_mean, image_std, spatial_dims)
        resnet, channels = BACKBONES[backbone]
        # shortcut "A" of MONAI's ResNet-18 cuts the gradient (`out.data`), which would hide it from an attack
        self.backbone: ResNet = resnet(
            spatial_dims=spatial_dims,
            n_input_channels=in_channels,
            conv1_t_size=7,
            conv1_t_stride=2,
            shortcut_type="B",
            bias_downsample=False,
            feed_forward=False,
        )
        conv = Conv[Conv.CONV, spatial_dims]
        self.interpolation = {2: "bilinear", 3: "trilinear"}[spatial_dims]
        self.nlce = nn.ModuleList(
            NLCE(
                c,
                num_codes=num_codes,
                spatial_dims=spatial_dims,
                non_local=non_local,
                context=context,
                scaled=scaled,
                zero_init=zero_init,
            )
            if nlce
            else nn.Identity()
            for c in channels
        )
        widths = channels if pyramid_channels is None else (pyramid_channels,) * len(channels)
        self.lateral = nn.ModuleList(
            nn.Identity() if pyramid_channels is None else conv(c, w, kernel_size=1)
            for c, w in zip(channels[:-1], widths[:-1], strict=True)
        )
        self.top_down = nn.ModuleList(
            conv(above, width, kernel_size=1) for above, width in zip((*widths[1:], channels[-1]), widths, strict=True)
        )
        self.heads = nn.ModuleList(conv(w, out_channels, kernel_size=3, padding=1) for w in widths)
        self.refinement = nn.ModuleList(
            nn.Sequential(*(ResNetBottleneck(w, w // 4, spatial_dims=spatial_dims) for _ in range(count)))
            for count, w in enumerate(widths)
        )
        self.refined_head = conv(sum(widths), out_channels, kernel_size=3, padding=1)
        if backbone_weights is not None:
            load_backbone_weights(self.backbone, backbone_weights, in_channels)
        layout = torch.channels_last if spatial_dims == 2 else torch.channels_last_3d
        self.to(memory_format=layout)  # type: ignore[call-overload]

    def forward(self, x: torch.Tensor) -> list[torch.Tensor] | torch.Tensor:
        pyramid = self._pyramid(x)
        refined = self._refine(pyramid, list(x.shape[2:]))
        if self.training:
            return [refined] + self._coarse(pyramid, list(x.shape[2:]))
        return refined

    @torch.jit.export
    def all_logits(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return ``[refined, P2, P3, P4, P5]``, the logits of all predictions at the input's size, in either mode."""
        pyramid = self._pyramid(x)
        return [self._refine(pyramid, list(x.shape[2:]))] + self._coarse(pyramid, list(x.shape[2:]))

    def _pyramid(self, x: torch.Tensor) -> list[torch.Tensor]:
        """P_2 … P_5, at 1/4 … 1/32 of the input's size."""
        x = self.normalization(x)
        x = self.backbone.maxpool(self.backbone.act(self.backbone.bn1(self.backbone.conv1(x))))
        e2 = self.nlce[0](self.backbone.layer1(x))
        e3 = self.nlce[1](self.backbone.layer2(e2))
        e4 = self.nlce[2](self.backbone.layer3(e3))
        e5 = self.nlce[3](self.backbone.layer4(e4))
        p5 = self.top_down[3](e5)
        p4 = self._merge(self.lateral[2](e4), self.top_down[2](p5))
        p3 = self._merge(self.lateral[1](e3), self.top_down[1](p4))
        p2 = self._merge(self.lateral[0](e2), self.top_down[0](p3))
        return [p2, p3, p4, p5]

    def _merge(self, lateral: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
        return lateral + self._resize(above, list(lateral.shape[2:]))

    def _coarse(self, pyramid: list[torch.Tensor], size: list[int]) -> list[torch.Tensor]:
        logits: list[torch.Tensor] = []
        for level, head in enumerate(self.heads):
            logits.append(self._resize(head(pyramid[level]), size))
        return logits

    def _refine(self, pyramid: list[torch.Tensor], size: list[int]) -> torch.Tensor:
        finest = list(pyramid[0].shape[2:])
        refined: list[torch.Tensor] = []
        for level, bottlenecks in enumerate(self.refinement):
            # the factor changes no bit, but gives the upsampling's backward pass a dense gradient where that of the
            # concatenation is a strided slice, which it would copy slowly
            refined.append(self._resize(bottlenecks(pyramid[level]), finest) * 1.0)
        return self._resize(self.refined_head(torch.cat(refined, dim=1)), size)

    def _resize(self, x: torch.Tensor, size: list[int]) -> torch.Tensor:
        return F.interpolate(x, size=size, mode=self.interpolation, align_corners=False)
