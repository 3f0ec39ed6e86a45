# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.color import rgb2hsv, rgb2lab
from torch import nn

from pipeline.networks import CDNN
from pipeline.networks.cdnn import rgb_to_hsv_l
from pipeline.utils import InputError

from .feature_maps import convolution_table, convolutions, doubled


@pytest.mark.parametrize("in_channels", [1, 3])
def test_parameter_count(in_channels: int) -> None:
    network = CDNN(in_channels, out_channels=1)
    # the paper's "about 5 million": seven color channels, one output
    assert sum(w.numel() + b.numel() for w, b in convolutions(network) if b is not None) == 5_034_529
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_039_459


def test_layers_at_an_odd_size() -> None:
    full, half, quarter, eighth, sixteenth = (45, 61), (22, 30), (11, 15), (5, 7), (2, 3)
    network = CDNN(3)
    assert convolution_table(network, torch.rand(1, 3, 45, 61)) == [
        (7, 16, 3, 1, full),
        (16, 32, 3, 1, full),
        (32, 64, 3, 1, half),
        (64, 64, 3, 1, half),
        (64, 128, 3, 1, quarter),
        (128, 128, 4, 1, quarter),
        (128, 256, 3, 1, eighth),
        (256, 256, 3, 1, eighth),
        (256, 512, 3, 1, sixteenth),
        (512, 256, 3, 1, sixteenth),
        (256, 256, 3, 1, eighth),
        (256, 128, 3, 1, eighth),
        (128, 128, 4, 1, quarter),
        (128, 128, 3, 1, quarter),
        (128, 64, 3, 1, half),
        (64, 32, 3, 1, half),
        (32, 16, 3, 1, full),
        (16, 2, 3, 1, full),
    ]


def randomized(network: CDNN) -> CDNN:
    """With running statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(0.1 + 0.2 * torch.rand(module.num_features, generator=generator))
    return network


@pytest.mark.parametrize("in_channels", [1, 3])
def test_is_the_papers_network(in_channels: int) -> None:
    torch.manual_seed(0)
    network = randomized(CDNN(in_channels)).eval()
    norms = iter([module for module in network.modules() if isinstance(module, nn.BatchNorm2d)])
    remaining = iter(convolutions(network))

    def normalized(x: torch.Tensor) -> torch.Tensor:
        weight, bias = next(remaining)
        # a 4 × 4 kernel has one row and column more to the right and below
        x = F.pad(x, (1, 1, 1, 1) if weight.shape[2] == 3 else (1, 2, 1, 2))
        norm = next(norms)
        return F.batch_norm(F.conv2d(x, weight, bias), norm.running_mean, norm.running_var, norm.weight, norm.bias)

    picture = torch.rand(1, in_channels, 32, 48)
    rgb = picture.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    parts = (rgb, rgb2hsv(rgb), rgb2lab(rgb)[..., :1] / 100)
    x = torch.cat([torch.as_tensor(part).float() for part in parts], dim=-1).permute(0, 3, 1, 2)
    with torch.no_grad():
        for _ in range(4):
            x = F.max_pool2d(F.relu(normalized(F.relu(normalized(x)))), 2)
        x = F.relu(normalized(F.relu(normalized(x))))
        for _ in range(3):
            x = F.relu(normalized(F.relu(normalized(doubled(x)))))
        expected = normalized(F.relu(normalized(doubled(x))))
        assert torch.allclose(network(picture), expected, atol=1e-3 * expected.abs().max().item())
    assert next(remaining, None) is None and next(norms, None) is None


def test_drops_half_before_the_fourth_level_and_the_last_but_one_convolution() -> None:
    torch.manual_seed(0)
    network = CDNN(1).train()
    dropped: list[tuple[tuple[int, ...], float]] = []

    def note(_: nn.Module, given: tuple[torch.Tensor], made: torch.Tensor) -> None:
        assert torch.allclose(made[made != 0], 2 * given[0][made != 0])
        kept = ((made != 0).sum() / (given[0] != 0).sum()).item()
        dropped.append((tuple(made.shape[1:]), kept))

    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(note)
    with torch.no_grad():
        network(torch.rand(2, 1, 64, 64))
    assert [shape for shape, _ in dropped] == [(128, 8, 8), (32, 64, 64)]
    assert all(kept == pytest.approx(0.5, abs=0.05) for _, kept in dropped)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_grey_pictures_can_be_attacked(in_channels: int, level: float) -> None:
    network = randomized(CDNN(in_channels)).eval()
    x = torch.full((1, in_channels, 32, 32), level, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x)[:, 1].sum(), x)
    assert gradient.isfinite().all() and gradient.any()


def test_bad_channels() -> None:
    message = "CDNN: in_channels must be 1 (grey) or 3 (RGB), got 7."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        CDNN(7)


RANDOM = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
# every mixture of 0, 1/2 and 1: black, greys, white, the corner colors, and every tie of two channels
CORNERS = torch.tensor(list(product((0.0, 0.5, 1.0), repeat=3)), dtype=torch.float64).T.reshape(1, 3, 3, 9)
# dark enough for the linear parts of sRGB and of L*
DARK = 0.1 * RANDOM
EIGHT_BITS = torch.round(RANDOM * 255) / 255


def from_skimage(rgb: torch.Tensor) -> torch.Tensor:
    last = rgb.permute(0, 2, 3, 1).numpy()
    made = np.concatenate([last, rgb2hsv(last), rgb2lab(last)[..., :1] / 100], axis=-1)
    return torch.from_numpy(made).permute(0, 3, 1, 2)


@pytest.mark.parametrize("rgb", [RANDOM, CORNERS, DARK, EIGHT_BITS], ids=["random", "corners", "dark", "8_bits"])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-6), (torch.float32, 2e-5)])
def test_equals_scikit_image(rgb: torch.Tensor, dtype: torch.dtype, tolerance: float) -> None:
    made = rgb_to_hsv_l(rgb.to(dtype))
    expected = from_skimage(rgb)
    assert made.dtype == dtype and made.shape == expected.shape
    difference = (made.double() - expected).abs()
    # the hue is a circle: 0 and 1 are both red
    difference[:, 3] = torch.minimum(difference[:, 3], 1 - difference[:, 3])
    assert difference.max() <= tolerance
    assert made.min() >= 0 and made.max() <= 1 + 1e-6


@pytest.mark.parametrize("rgb", [RANDOM, DARK], ids=["random", "dark"])
def test_the_gradient_is_the_finite_difference(rgb: torch.Tensor) -> None:
    step = 1e-7
    ordered = rgb.sort(dim=1).values
    # away from ties of two channels, from where sRGB and L* change their branch, and from red (the hue's jump)
    luminance = rgb_to_hsv_l(rgb)[:, 6]
    hue = rgb_to_hsv_l(rgb)[:, 3]
    smooth = (ordered.diff(dim=1) > 1e-3).all(1) & ((rgb - 0.04045).abs() > 1e-3).all(1)
    smooth &= ((luminance - 0.08).abs() > 1e-3) & (hue > 1e-3) & (hue < 1 - 1e-3)
    assert smooth.float().mean() > 0.8
    for output, channel in product(range(7), range(3)):
        image = rgb.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(rgb_to_hsv_l(image)[:, output].sum(), image)
        shift = torch.zeros_like(rgb)
        shift[:, channel] = step
        difference = (rgb_to_hsv_l(rgb + shift) - rgb_to_hsv_l(rgb - shift))[:, output] / (2 * step)
        deviation = (gradient[:, channel] - difference).abs() / (1 + difference.abs())
        assert deviation[smooth].max() <= 1e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("level", [0.0, 1e-12, 0.04045, 0.2, 0.5, 1.0])
def test_grey_pixels_have_the_gradients_that_are_promised(level: float, dtype: torch.dtype) -> None:
    image = torch.full((1, 3, 1, 1), level, dtype=dtype, requires_grad=True)
    made = rgb_to_hsv_l(image)
    gradients = [torch.autograd.grad(channel, image, retain_graph=True)[0].flatten() for channel in made.flatten()]
    assert made[0, 3:5].abs().max() == 0
    assert all(not gradient.any() for gradient in gradients[3:5])
    assert torch.allclose(gradients[5], torch.full((3,), 1 / 3, dtype=dtype))
    assert gradients[6].isfinite().all() and gradients[6].min() > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_are_finite_everywhere(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    near = [level + spread * torch.rand(1, 3, 4, 8, generator=generator, dtype=torch.float64)
            for level in (0.0, 0.5, 1.0) for spread in (1e-40, 1e-12, 1e-7, 1e-6, 1e-5, 1e-3)]  # fmt: skip
    image = torch.cat([CORNERS.reshape(1, 3, -1), torch.cat(near, dim=2).reshape(1, 3, -1)], dim=2)[..., None]
    image = image.clamp(0, 1).to(dtype).requires_grad_()
    made = rgb_to_hsv_l(image)
    assert made.isfinite().all()
    for channel in range(7):
        (gradient,) = torch.autograd.grad(made[:, channel].sum(), image, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.abs().max() <= 1e6


def test_values_beyond_the_range_count_as_its_ends() -> None:
    beyond = torch.tensor([-0.1, 0.4, 1.1]).view(1, 3, 1, 1)
    within = torch.tensor([0.0, 0.4, 1.0]).view(1, 3, 1, 1)
    assert torch.equal(rgb_to_hsv_l(beyond)[:, 3:], rgb_to_hsv_l(within)[:, 3:])
    assert torch.equal(rgb_to_hsv_l(beyond)[:, :3], beyond)
