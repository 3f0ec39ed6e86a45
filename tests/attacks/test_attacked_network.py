# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn

from pipeline.attacks import (
    APGD,
    PGD,
    AttackedNetwork,
    IterativeFGSM,
    ProjectedAdam,
    Sigmoid,
    Slope,
    Softmax,
    Transfer,
    UniformNoise,
    num_gradients,
)
from pipeline.attacks.grey_levels import check_picture
from pipeline.losses import SoftDice
from pipeline.utils import InputError, check_images


def make_network(channels: int, dimensions: int = 2) -> nn.Module:
    torch.manual_seed(0)
    kind = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
    network = nn.Sequential(kind(1, 8, 3, padding=1), nn.Tanh(), kind(8, channels, 1)).eval()
    for layer in network[::2]:
        nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    # grey is zero, so that every class is found somewhere
    network[0].bias.data = -0.5 * network[0].weight.data.flatten(1).sum(1)
    return network


def test_an_intensity_range_is_cut_into_255_grey_levels() -> None:
    attacked = AttackedNetwork(nn.Identity(), intensity_range=(-1000.0, 400.0))
    assert attacked.grey_levels(torch.tensor([-1000.0, -300.0, 400.0])).tolist() == pytest.approx([0.0, 127.5, 255.0])
    assert attacked.images(torch.tensor([0.0, 127.5, 255.0])).tolist() == pytest.approx(
        [-1000.0, -300.0, 400.0], abs=1e-3
    )


@pytest.mark.parametrize(
    ("classes", "wrong"),
    [(Softmax(2), 255), (Softmax(4), 255), (Softmax(3), 1.5), (Softmax(2), -1), (Sigmoid(1), 255)],
    ids=str,
)
def test_masks_of_numbers_that_are_no_class_are_not_scored(classes: Softmax | Sigmoid, wrong: float) -> None:
    attacked = AttackedNetwork(make_network(classes.channels), classes=classes)
    picture, label = 255 * torch.rand(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    label[..., 2:6] = 1
    scores = attacked.scores(attacked.predict(picture, label), label)
    if classes.labels == 1:
        assert torch.equal(attacked.scores(attacked.predict(picture, label > 0), label > 0), scores)
    label[1, 0, 0, 0] = wrong
    with pytest.raises(InputError, match="The attacked network: the masks hold values from"):
        attacked.predict(picture, label)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("intensity_range", [(0.0, 1.0), (-1000.0, 400.0), (-1.8045, 2.64)])
def test_images_of_16_bits_are_moved_by_epsilon_and_no_more(
    dtype: torch.dtype, intensity_range: tuple[float, float]
) -> None:
    class Upcast(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return make_network(2)((x.float() - low) / (high - low))

    low, high = intensity_range
    images = torch.linspace(low, high, 2 * 64).view(2, 1, 8, 8).to(dtype)
    attacked = AttackedNetwork(Upcast().eval(), intensity_range=intensity_range)
    label = (images > images.median()).float()
    check_images(images, "Images", intensity_range)
    picture = attacked.grey_levels(images)
    check_picture(picture, (0.0, 255.0))
    for epsilon, found in IterativeFGSM()(attacked, picture, label, [0.5, 4.0]).items():
        moved = (attacked.images(found).double() - attacked.images(picture).double()).abs() * 255 / (high - low)
        assert moved.max() == pytest.approx(epsilon, rel=1e-3)
        # the range's ends may be rounded in 16 bits
        inside = (images.double() >= low) & (images.double() <= high)
        clean = (attacked.images(picture).double() - images.double()).abs()[inside] * 255 / (high - low)
        assert clean.max() < 1e-3


def test_the_unit_interval_keeps_every_bit() -> None:
    images, attacked = torch.rand(1000), AttackedNetwork(nn.Identity())
    assert torch.equal(attacked.grey_levels(images), images * 255)
    pictures = 255 * torch.rand(1000)
    assert torch.equal(attacked.images(pictures), pictures / 255)


def random_ranges(count: int) -> list[tuple[float, float]]:
    draw = random.Random(0)
    whole = [(float(draw.randint(-2000, 500)), float(draw.randint(501, 3000))) for _ in range(count)]
    # as those of normalized pictures: near to zero, or far from it
    return whole + [(low, low + draw.uniform(0.1, 10)) for low in (draw.gauss(0, 5) for _ in range(count))]


def test_whatever_is_in_a_range_is_a_grey_level_though_its_ends_are_rounded() -> None:
    before = 0
    for low, high in [(-175.0, 250.0), (-2.1179, 2.64), *random_ranges(1000)]:
        images = torch.tensor([low, 0.9 * low + 0.1 * high, high]).view(1, 1, 3)
        attacked = AttackedNetwork(nn.Identity(), intensity_range=(low, high))
        check_images(images, "Images", (low, high))
        pictures = attacked.grey_levels(images)
        check_picture(pictures, (0.0, 255.0))
        exact = 255 * (images.double() - low) / (high - low)
        torch.testing.assert_close(pictures.double(), exact.clamp(0, 255), atol=1e-3 * max(1, abs(low)), rtol=0)
        plain = (images - low) * (255 / (high - low))
        assert torch.equal(pictures, plain.clamp(0, 255))  # what is inside keeps every bit
        before += not (plain.min() >= 0 and plain.max() <= 255)
    assert before > 100  # so many were refused


def test_what_is_truly_outside_is_no_grey_level() -> None:
    for low, high in random_ranges(200):
        attacked = AttackedNetwork(nn.Identity(), intensity_range=(low, high))
        for outside in (low - 1e-4 * (high - low) - 1e-5 * abs(low), high + 1e-4 * (high - low) + 1e-5 * abs(high)):
            images = torch.tensor([outside]).view(1, 1, 1)
            with pytest.raises(InputError, match="the images hold values from"):
                check_images(images, "Images", (low, high))
            with pytest.raises(InputError, match="leave the value range"):
                check_picture(attacked.grey_levels(images), (0.0, 255.0))
        assert attacked.grey_levels(torch.tensor(float("nan"))).isnan()


def test_an_attack_is_the_same_whatever_range_the_network_takes() -> None:
    """A network that takes HU and one that takes [0, 1] and turns it into HU are one."""
    network, label = make_network(2).double(), torch.randint(0, 2, (2, 1, 6, 6)).double()

    class FromUnitInterval(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return network((1400 * x - 1000) / 1000)

    class FromHU(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return network(x / 1000)

    pictures = 255 * torch.rand(2, 1, 6, 6, dtype=torch.float64)
    hu = AttackedNetwork(FromHU(), intensity_range=(-1000.0, 400.0))
    for attack in (IterativeFGSM(), PGD(iterations=3), UniformNoise()):
        expected = attack(AttackedNetwork(FromUnitInterval()), pictures, label, [2.0, 8.0])
        found = attack(hu, pictures, label, [2.0, 8.0])
        assert all(torch.allclose(found[epsilon], expected[epsilon], atol=1e-9) for epsilon in expected)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(
    ("classes", "target"),
    [(Softmax(2), "inverse"), (Softmax(4), None), (Sigmoid(1), "inverse"), (Sigmoid(3), "inverse"), (Sigmoid(3), None)],
    ids=["two", "many", "one_channel", "labels", "labels_away"],
)
def test_every_kind_of_output_is_attacked_and_scored(
    classes: Softmax | Sigmoid, target: str | None, dimensions: int
) -> None:
    size = (2, 1, *[8] * dimensions)
    network = make_network(classes.channels, dimensions)
    attacked = AttackedNetwork(network, classes=classes)
    pictures = 255 * torch.rand(size)
    with torch.no_grad():
        output = network(pictures / 255)
    exclusive = isinstance(classes, Softmax)
    label = (output.argmax(1, keepdim=True) if exclusive else output > 0).float()
    prediction = attacked.predict(pictures, label)
    assert prediction.shape == label.shape and torch.equal(prediction.float(), label)
    assert attacked.scores(prediction, label).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    settings = {} if target else {"target": None}
    for attack in (IterativeFGSM(**settings), PGD(iterations=4, **settings)):
        found = attack(attacked, pictures, label, [32.0, 128.0])
        scores = {epsilon: attacked.scores(attacked.predict(x, label), label).mean() for epsilon, x in found.items()}
        assert scores[128.0] < scores[32.0] < 1


def test_scores_are_the_mean_over_the_classes() -> None:
    attacked = AttackedNetwork(nn.Identity(), classes=Softmax(4))
    label = torch.tensor([[[[0, 1, 1, 2]]]])
    prediction = torch.tensor([[[[0, 1, 0, 2]]]])
    # class 1: 2·1 / 3 and 1 / 2; class 2: 1; class 3 is in neither mask: 1
    assert attacked.scores(prediction, label)[0].tolist() == pytest.approx([(2 / 3 + 1 + 1) / 3, (1 / 2 + 1 + 1) / 3])


def test_the_gradient_of_sliding_windows_is_that_of_the_joined_output() -> None:
    network = make_network(2, 3).double()
    inferer = SlidingWindowInferer(roi_size=(8, 8, 8), sw_batch_size=2, overlap=0.5, mode="gaussian")
    label = torch.randint(0, 2, (1, 1, 12, 8, 10)).double()
    pictures = 255 * torch.rand(1, 1, 12, 8, 10, dtype=torch.float64)
    attacked = AttackedNetwork(network, inferer)
    gradient = IterativeFGSM().gradient(attacked, label)(pictures)

    def loss(x: torch.Tensor) -> float:
        with torch.no_grad():
            logits = inferer(x / 255, network).log_softmax(1)
        return -torch.where(label == 1, logits[:, :1], logits[:, 1:]).sum().item()

    for index in ((0, 0, 0, 0, 0), (0, 0, 6, 4, 5), (0, 0, 11, 7, 9)):
        shift = torch.zeros_like(pictures)
        shift[index] = 1e-3
        expected = (loss(pictures + shift) - loss(pictures - shift)) / 2e-3
        assert gradient[index].item() == pytest.approx(expected, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, -1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_a_range_that_does_not_rise(bounds: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="^intensity_range: two numbers are needed, the lower one first"):
        AttackedNetwork(nn.Identity(), intensity_range=bounds)


def test_a_network_that_lets_no_gradient_through_has_a_gradient_of_zero() -> None:
    class Threshold(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x <= 0.5, x > 0.5], 1).float()

    picture, label = 255 * torch.rand(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    slope = AttackedNetwork(Threshold()).value_and_gradient(picture, lambda logits: logits[:, 1].sum())
    assert slope.value == (picture > 127.5).sum() and (slope.gradient == 0).all()
    assert (AttackedNetwork(Threshold()).predict(picture, label) == (picture > 127.5)).all()


class Root(nn.Module):
    """Logits with the root of zero added in the first column, whose gradient is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z, column = self.network(x), x[..., :1]
        return torch.cat([z[..., :1] + (column - column).sqrt(), z[..., 1:]], -1)


class RefusesAutocast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = make_network(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("expected another number type")
        return self.network(x)


def slope_of(network: nn.Module, precision: torch.dtype | None, **settings: bool) -> torch.Tensor:
    attacked = AttackedNetwork(network, precision=precision, **settings)
    picture = 255 * torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return attacked.value_and_gradient(picture, lambda logits: logits[:, 1] - logits[:, 0]).gradient


class Overflows(nn.Module):
    """A logit of a probability, which is 1, and its logit infinite, in bfloat16 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.network(x)
        return z + 1e-3 * torch.logit((0.999 + 1e-4 * torch.sigmoid(z)).to(z.dtype))


@pytest.mark.parametrize("kind", [Overflows, RefusesAutocast])
def test_a_pass_that_fails_in_a_fast_precision_is_made_again(kind: type[nn.Module]) -> None:
    network = kind().eval()
    exact = slope_of(network, None)
    assert torch.isfinite(exact).all() and exact.abs().sum() > 0
    assert torch.equal(slope_of(network, torch.bfloat16), exact)
    assert not torch.equal(slope_of(make_network(2), torch.bfloat16), slope_of(make_network(2), None))


def test_a_full_memory_is_not_tried_in_a_precision_that_needs_more() -> None:
    calls = []

    class Large(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(torch.is_autocast_enabled("cpu"))
            raise torch.OutOfMemoryError("CUDA out of memory.")

    attacked = AttackedNetwork(Large(), precision=torch.bfloat16)
    with pytest.raises(InputError, match="The GPU's memory is not enough"):
        attacked.value_and_gradient(torch.zeros(1, 1, 4, 4), torch.sum)
    assert calls == [True]


def test_a_gradient_that_is_not_finite_is_an_error_or_counted() -> None:
    network = Root().eval()
    with pytest.raises(FloatingPointError, match="not finite"):
        slope_of(network, None)
    picture = 255 * torch.rand(2, 1, 8, 8)
    loss = lambda logits: logits[:, 1] - logits[:, 0]  # noqa: E731
    slope = AttackedNetwork(network, keep_going=True).value_and_gradient(picture, loss)
    honest = AttackedNetwork(network.network).value_and_gradient(picture, loss)
    assert slope.not_finite == pytest.approx(1 / 8) and honest.not_finite == 0
    assert torch.equal(slope.gradient[..., :1], torch.zeros(2, 1, 8, 1))
    assert torch.equal(slope.gradient[..., 1:], honest.gradient[..., 1:])


@pytest.mark.parametrize("logit", [-40.0, -20.0, 0.3, 20.0, 40.0])
def test_a_label_has_its_cross_entropy_and_a_gradient_however_sure_the_network_is(logit: float) -> None:
    output = torch.full((1, 1, 1, 1), logit, requires_grad=True)
    for label in (0, 1):
        found = nn.functional.cross_entropy(Sigmoid().logits(output), torch.full((1, 1, 1), label))
        exact = torch.tensor(logit, dtype=torch.float64, requires_grad=True)
        wanted = nn.functional.softplus(exact if label == 0 else -exact)
        assert found.item() == pytest.approx(wanted.item(), abs=1e-6)
        slopes = torch.autograd.grad(found, output)[0].item(), torch.autograd.grad(wanted, exact)[0].item()
        assert slopes[0] != 0 and slopes[0] == pytest.approx(slopes[1], rel=1e-4, abs=1e-7)


class BrokenForBright(nn.Module):
    """The same logits; of a picture whose first pixel is above a half the gradient is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z, bright = self.network(x), x[:, :1, :1, :1] > 0.5
        if z.requires_grad:
            z.register_hook(lambda gradient: gradient.masked_fill(bright, float("nan")))
        return z


AWAY: dict[str, Any] = {"loss_function": SoftDice(), "target": None}


@pytest.mark.parametrize(
    ("attack", "looks"),
    [
        (PGD(5), 5),
        (PGD(3, restarts=2), 6),
        (APGD(8, **AWAY), 8),
        (ProjectedAdam(4), 4),
        (IterativeFGSM(), num_gradients([8.0])),
        (Transfer(BrokenForBright().eval(), PGD(5)), 5),
    ],
    ids=["pgd", "restarts", "apgd", "adam", "paper", "transfer"],
)
@pytest.mark.parametrize("precision", [None, torch.bfloat16])
def test_gradients_that_are_not_finite_are_counted_for_each_image(
    attack: Any, looks: int, precision: torch.dtype | None
) -> None:
    pictures = 20 + 60 * torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    pictures[1, 0, 0, 0] = 230.0  # bright at every ε of 8
    label = torch.ones(3, 1, 8, 8)
    counts, gradients = torch.zeros(3, dtype=torch.long), []

    attacked = AttackedNetwork(
        make_network(2) if isinstance(attack, Transfer) else BrokenForBright().eval(),
        precision=precision,
        keep_going=True,
        on_gradient=lambda: gradients.append(1),
        on_slope=lambda slope: counts.add_(slope.lost > 0),
    )
    attack(attacked, pictures, label, [8.0])
    assert len(gradients) == looks and counts.tolist() == [0, looks, 0]


def test_each_gradient_is_shown_and_the_share_that_is_not_finite_is_that_of_each_image() -> None:
    shown: list[Slope] = []
    pictures = 20 + 60 * torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    attacked = AttackedNetwork(BrokenForBright().eval(), keep_going=True, on_slope=shown.append)
    loss = lambda logits: logits[..., :2].sum()  # noqa: E731
    slope = attacked.value_and_gradient(pictures, loss)
    assert shown == [slope] and slope.lost.tolist() == [0, 0] and slope.not_finite == 0
    pictures[1, 0, 0, 0] = 230.0
    slope = attacked.value_and_gradient(pictures, loss)
    assert shown[1:] == [slope]
    assert slope.lost.tolist() == [0, 1] and slope.not_finite == 0.5
