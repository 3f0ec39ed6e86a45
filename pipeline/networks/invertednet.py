# SPDX-License-Identifier: Apache-2.0
"""InvertedNet, one of the compared networks."""

from __future__ import annotations

from .u_shape import UShape

__all__ = ["InvertedNet"]


class InvertedNet(UShape):
    """InvertedNet (Novikov et al., IEEE TMI 2018, "Fully Convolutional Architectures for … Chest Radiographs").

    A U-Net turned around: 256 channels at full size, halved at each of the five levels down to 16 (3,140,771 parameters
    with 1 channel and 3 classes). ELU, dropout after every activation, and delayed subsampling: the max-poolings have
    stride 1, and the first convolution of the next level has stride 2 instead.

    Deviations and readings:

    - dropout of 0.1, the rate of the public re-implementations; the paper's could not be looked up;
    - the stride-1 pooling is not padded: the map loses one row and column there, and the stride of 2 then makes
      ⌊H/2⌋ of H as a pooling with stride 2 would, at any size;
    - He's normal start; logits of a softmax with the background as a class of its own, where the paper has a sigmoid
      map for each organ;
    - the picture is normalized inside the network, with ImageNet's grey mean and deviation in place of the set's.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes, the background included.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up.
        output: logits (B, out_channels, H, W), in both modes.

    Example:
        >>> InvertedNet(in_channels=1, out_channels=2).eval()(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(self, in_channels: int, out_channels: int = 2) -> None:
        super().__init__(
            in_channels,
            out_channels,
            (256, 128, 64, 32, 16),
            delayed_subsampling=True,
            adn_ordering="AD",
            act="elu",
            dropout=0.1,
        )
