# SPDX-License-Identifier: Apache-2.0
"""U-Net, one of the compared networks."""

from __future__ import annotations

from .u_shape import UShape

__all__ = ["UNet"]


class UNet(UShape):
    """U-Net (Ronneberger, Fischer and Brox, MICCAI 2015, Figure 1), in the form of Novikov et al., IEEE TMI 2018.

    Five levels of 64, 128, 256, 512 and 1024 channels with two 3×3 convolutions and ReLU each, 2×2 max-pooling, no
    batch normalization, He's normal start (all Ronneberger's).

    Deviations from Ronneberger et al., the first two Novikov's, whose 31,377,988 parameters (1 channel, 4 classes)
    these are:

    - padded ("same") convolutions, so that the prediction is as large as the picture and no skip is cropped;
    - the upsampling is plain, without the 2×2 "up-convolution" that halves the channels;
    - no dropout at the end of the contracting path, whose rate the paper does not give;
    - the picture is normalized inside the network.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes, the background included.

    Shape:
        input: (B, in_channels, H, W) in [0, 1]; any size from 32 up.
        output: logits (B, out_channels, H, W), in both modes.

    Example:
        >>> UNet(in_channels=1, out_channels=2).eval()(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(self, in_channels: int, out_channels: int = 2) -> None:
        super().__init__(in_channels, out_channels, (64, 128, 256, 512, 1024), delayed_subsampling=False, act="relu")
