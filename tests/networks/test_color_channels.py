# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from skimage.color import rgb2hsv, rgb2lab

from pipeline.networks.cdnn import rgb_to_hsv_l

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
