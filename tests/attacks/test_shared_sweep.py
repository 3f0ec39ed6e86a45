# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch

from pipeline.attacks import PAPER_EPSILONS, num_gradients, num_iterations, shared_sweep
from pipeline.utils import InputError

# the paper's, written out
EPSILONS = [0.5, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32]
ITERATIONS = [1, 2, 3, 5, 8, 10, 13, 15, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36]


def make_gradient(dtype: torch.dtype = torch.float32) -> Callable[[torch.Tensor], torch.Tensor]:
    """A gradient whose sign changes along the path and from pixel to pixel, and is 0 at some."""
    generator = torch.Generator().manual_seed(0)
    phase = 6 * torch.rand(3, 1, 9, 10, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 1, 9, 10, generator=generator, dtype=torch.float64)
    weight[:, :, 0, ::3] = 0

    def gradient(image: torch.Tensor) -> torch.Tensor:
        image = image.double()
        # one part is constant, so that many pixels run into the clip
        around = torch.roll(image, 1, dims=3) - image
        return (weight + 0.5 * weight.abs() * torch.sin(image / 5 + phase) + 0.001 * around * (weight != 0)).to(dtype)

    return gradient


def make_image(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    image = 255 * torch.rand(3, 1, 9, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    image[0, 0, 3, :6] = torch.tensor([0, 255, 0.3, 254.7, 1e-4, 127.5], dtype=torch.float64)
    image[1, 0, 4:, :] = image[1, 0, 4:, :].round()
    return image.to(dtype).clamp(0, 255)


def plain_attack(gradient, image, epsilon, iterations, step, value_range) -> torch.Tensor:
    """Equation 6 on the perturbation, for one ε."""
    delta = torch.zeros_like(image)
    for _ in range(iterations):
        delta = delta - step * torch.sign(gradient(image + delta))
        delta = torch.clamp(delta, min=-epsilon, max=epsilon)
        if value_range is not None:
            delta = torch.minimum(delta, value_range[1] - image)
            delta = torch.maximum(delta, value_range[0] - image)
    return image + delta


def test_the_papers_intensities_and_iterations() -> None:
    assert list(PAPER_EPSILONS) == EPSILONS
    assert [num_iterations(epsilon) for epsilon in EPSILONS] == ITERATIONS
    assert sum(ITERATIONS) == 327
    assert num_iterations(0.1) == 1 and num_iterations(20.5) == 25


@pytest.mark.parametrize("value_range", [(0.0, 255.0), None], ids=["range", "unbounded"])
@pytest.mark.parametrize("step", [1.0, 0.5, 0.1, 2.5, 40.0])
def test_sweep_is_bitwise_equal_to_plain_attacks(step: float, value_range: tuple[float, float] | None) -> None:
    gradient, image = make_gradient(), make_image()
    before = image.clone()
    swept = shared_sweep(gradient, image, EPSILONS, step, value_range=value_range)
    assert list(swept) == EPSILONS
    for epsilon, iterations in zip(EPSILONS, ITERATIONS, strict=True):
        expected = plain_attack(gradient, image, epsilon, iterations, step, value_range)
        assert torch.equal(swept[epsilon], expected)
        alone = shared_sweep(gradient, image, [epsilon], step, value_range=value_range)
        assert torch.equal(alone[epsilon], expected)
    assert torch.equal(image, before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("step", [0.1, 0.3, 1 / 3])
def test_sweep_is_bitwise_equal_where_steps_do_not_add_up_to_epsilon(step: float, dtype: torch.dtype) -> None:
    """Three steps of 0.1 are a bit more than 0.3 in one number type and less in another."""
    gradient, image = make_gradient(dtype), make_image(dtype)
    epsilons = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 1.7]

    def iterations(epsilon: float) -> int:
        return math.ceil(14 * epsilon)

    swept = shared_sweep(gradient, image, epsilons, step, iterations=iterations, value_range=(0.0, 255.0))
    for epsilon in epsilons:
        expected = plain_attack(gradient, image, epsilon, iterations(epsilon), step, (0.0, 255.0))
        assert torch.equal(swept[epsilon], expected)


def test_sweep_stays_in_the_ball_and_the_range_and_uses_both() -> None:
    image = make_image()
    for epsilon, adversarial in shared_sweep(make_gradient(), image, EPSILONS).items():
        change = (adversarial.double() - image.double()).abs()
        # x + δ is rounded to the picture's number type
        assert change.max() <= epsilon + 2**-17
        assert change.max() > epsilon - 1e-4
        assert adversarial.min() >= 0 and adversarial.max() <= 255
    unbounded = shared_sweep(make_gradient(), image, [32.0], value_range=None)[32.0]
    assert unbounded.min() < 0 and unbounded.max() > 255


def test_other_value_range() -> None:
    image = 10 + make_image() / 255
    swept = shared_sweep(make_gradient(), image, [0.5, 4.0], value_range=(10.0, 11.0))
    assert swept[4.0].min() >= 10 and swept[4.0].max() <= 11
    assert torch.equal(swept[4.0], plain_attack(make_gradient(), image, 4.0, 5, 1.0, (10.0, 11.0)))


@pytest.mark.parametrize(
    "epsilons, step, expected",
    [
        (EPSILONS, 1.0, 69),
        ([8.0], 1.0, 10),
        ([0.5], 1.0, 1),
        ([1.0, 1.5], 1.0, 2),
        ([1.0, 4.0], 1.0, 5),
        ([2.0, 2.5, 8.0], 1.0, 11),
        ([0.1, 0.2], 5.0, 1),
        ([], 1.0, 0),
        # no clip acts in 36 steps of 0.1 for ε of 4 and above, so all share one path
        (EPSILONS, 0.1, 36),
    ],
)
def test_number_of_gradients(epsilons: list[float], step: float, expected: int) -> None:
    image, gradient = make_image(), make_gradient()
    seen: list[torch.Tensor] = []

    def counting(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.clone())
        return gradient(x)

    swept = shared_sweep(counting, image, epsilons, step)
    assert len(swept) == len(epsilons)
    assert len(seen) == expected == num_gradients(epsilons, step)
    assert not seen or torch.equal(seen[0], image)


def test_lowers_a_loss() -> None:
    """Towards the target: the loss of which the gradient is given falls."""
    image, goal = make_image(), make_image().flip(3)
    swept = shared_sweep(lambda x: 2 * (x - goal), image, [2.0, 8.0])
    losses = [(x - goal).square().sum().item() for x in (image, swept[2.0], swept[8.0])]
    assert losses[0] > losses[1] > losses[2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"epsilons": [0.0, 1.0]}, "epsilons: every intensity must be above 0 grey levels, got [0.0, 1.0]."),
        ({"epsilons": [-2.0]}, "epsilons: every intensity must be above 0 grey levels, got [-2.0]."),
        ({"epsilons": [math.nan]}, "epsilons: every intensity must be above 0 grey levels, got [nan]."),
        ({"epsilons": [2.0, 1.0]}, "epsilons: the intensities must rise and not repeat, got [2.0, 1.0]."),
        ({"epsilons": [1.0, 1.0]}, "epsilons: the intensities must rise and not repeat, got [1.0, 1.0]."),
        ({"step": 0.0}, "step: the step size must be finite and above 0, got 0.0."),
        ({"step": -1.0}, "step: the step size must be finite and above 0, got -1.0."),
        ({"step": math.nan}, "step: the step size must be finite and above 0, got nan."),
        ({"epsilons": [1.0, math.inf]}, "epsilons must be finite, got [1.0, inf]."),
        ({"step": math.inf}, "step: the step size must be finite and above 0, got inf."),
        (
            {"value_range": (255.0, 0.0)},
            "value_range: two grey levels are needed, the lower one first, or null, got (255.0, 0.0).",
        ),
        ({"value_range": [0.0]}, "value_range: two grey levels are needed, the lower one first, or null, got [0.0]."),
    ],
)
def test_bad_numbers(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        shared_sweep(make_gradient(), make_image(), **{"epsilons": [1.0], **arguments})


@pytest.mark.parametrize("value", [-0.5, 255.5, math.nan])
def test_a_picture_out_of_range(value: float) -> None:
    image = make_image().round()
    image[0, 0, 0, :3] = torch.tensor([0.0, 255.0, value])
    lowest, highest = (value, value) if math.isnan(value) else (min(0.0, value), max(255.0, value))
    message = (
        f"image: grey levels from {lowest} to {highest} leave the value range 0.0 to 255.0; "
        "give the picture in grey levels of 0 to 255."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        shared_sweep(make_gradient(), image, [1.0])
    if not math.isnan(value):
        assert shared_sweep(make_gradient(), image, [1.0], value_range=None)[1.0].isfinite().all()


def test_iterations_that_fall_with_epsilon() -> None:
    image = torch.full((1, 1, 2, 2), 100.0)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return x - 100.5

    iterations = {1.0: 6, 2.0: 2, 3.0: 4, 4.0: 1}.__getitem__
    adversarial = shared_sweep(gradient, image, [1.0, 2.0, 3.0, 4.0], iterations=iterations)
    assert list(adversarial) == [1.0, 2.0, 3.0, 4.0]
    for epsilon, pictures in adversarial.items():
        alone = shared_sweep(gradient, image, [epsilon], iterations=iterations)
        assert torch.equal(pictures, alone[epsilon])
