# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pipeline.networks import UNet

from .feature_maps import convolution_table, convolutions, doubled


@pytest.mark.parametrize(
    "in_channels, out_channels, expected",
    [
        # Novikov et al.'s "Original" U-Net: three organs and the background
        (1, 4, 31_377_988),
        # 64 weights and a bias for each class; 9 · 64 weights for each channel of the picture
        (1, 2, 31_377_988 - 2 * 65),
        (3, 2, 31_377_988 - 2 * 65 + 2 * 9 * 64),
    ],
)
def test_parameter_count(in_channels: int, out_channels: int, expected: int) -> None:
    with torch.device("meta"):
        network = UNet(in_channels, out_channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_layers_at_an_odd_size() -> None:
    full, half, quarter, eighth, sixteenth = (45, 61), (22, 30), (11, 15), (5, 7), (2, 3)
    assert convolution_table(UNet(1), torch.rand(1, 1, 45, 61)) == [
        (1, 64, 3, 1, full),
        (64, 64, 3, 1, full),
        (64, 128, 3, 1, half),
        (128, 128, 3, 1, half),
        (128, 256, 3, 1, quarter),
        (256, 256, 3, 1, quarter),
        (256, 512, 3, 1, eighth),
        (512, 512, 3, 1, eighth),
        (512, 1024, 3, 1, sixteenth),
        (1024, 1024, 3, 1, sixteenth),
        (1536, 512, 3, 1, eighth),
        (512, 512, 3, 1, eighth),
        (768, 256, 3, 1, quarter),
        (256, 256, 3, 1, quarter),
        (384, 128, 3, 1, half),
        (128, 128, 3, 1, half),
        (192, 64, 3, 1, full),
        (64, 64, 3, 1, full),
        (64, 2, 1, 1, full),
    ]


def test_is_the_papers_network() -> None:
    torch.manual_seed(0)
    network = UNet(1)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    remaining = iter(convolutions(network))

    def twice(x: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            x = F.relu(F.conv2d(x, *next(remaining), padding=1))
        return x

    picture = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        x, skips = (picture - 0.449) / 0.226, []
        for _ in range(4):
            skips.append(twice(x))
            x = F.max_pool2d(skips[-1], 2)
        x = twice(x)
        for skip in reversed(skips):
            x = twice(torch.cat([doubled(x), skip], dim=1))
        expected = F.conv2d(x, *next(remaining))
        for mode in (True, False):
            assert torch.allclose(network.train(mode)(picture), expected, atol=1e-4)
    assert next(remaining, None) is None


def test_starts_from_hes_normal_distribution() -> None:
    """A start with torch's default, whose variance is a sixth, would vanish: there is no batch normalization."""
    torch.manual_seed(0)
    for weight, bias in convolutions(UNet(1)):
        fan_in = weight[0].numel()
        # the deviation of a sample deviation is about 1 / √(2 n)
        assert weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=4 / (2 * weight.numel()) ** 0.5)
        assert bias is not None and not bias.any()
