# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.attacks import (
    APGD,
    PGD,
    AttackedNetwork,
    ProjectedAdam,
    Sigmoid,
    Softmax,
    Square,
    Transfer,
    UniformNoise,
    WorstFound,
)
from pipeline.losses import PixelCrossEntropy, ShrinkLoss, SoftDice, Tsallis
from pipeline.utils import InputError
from tests.attacks.small import make_data, make_network

AWAY: dict[str, Any] = {"loss_function": SoftDice(), "target": None}
ATTACKS: dict[str, Callable[[], Any]] = {
    "pgd": lambda: PGD(12, cosine=True, relative_step=1.0, **AWAY),
    "apgd": lambda: APGD(12, **AWAY),
    "adam": lambda: ProjectedAdam(12, **AWAY),
    "square": lambda: Square(30),
    "transfer": lambda: Transfer(make_network(7), PGD(12, **AWAY)),
}


def dic(attacked: AttackedNetwork, pictures: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    return attacked.scores(attacked.predict(pictures, label), label)[:, 0]


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(("channels", "size"), [(2, (16, 16)), (3, (15, 11)), (2, (9, 8, 10))])
def test_it_stays_in_the_ball_and_is_never_better_than_nothing(name: str, channels: int, size: tuple[int, ...]) -> None:
    network = make_network(channels=channels, spatial_dims=len(size))
    pictures, label = make_data(network, size)
    attacked = AttackedNetwork(network, classes=Softmax(channels))
    attack = Transfer(make_network(7, channels, len(size)), PGD(12, **AWAY)) if name == "transfer" else ATTACKS[name]()
    found = attack(attacked, pictures, label, [4.0, 16.0])
    noisy = UniformNoise()(attacked, pictures, label, [16.0])[16.0]
    for epsilon, picture in found.items():
        assert (picture - pictures).abs().max() <= epsilon + 1e-3
        assert picture.min() >= 0 and picture.max() <= 255
    scores = [dic(attacked, found[epsilon], label) for epsilon in (4.0, 16.0)]
    assert (scores[1] <= scores[0]).all() and (scores[0] <= 1).all()
    if name not in ("transfer", "square"):
        assert scores[1].mean() < dic(attacked, noisy, label).mean() - 0.03


@pytest.mark.parametrize("name", ATTACKS)
def test_an_image_is_attacked_alike_in_any_batch(name: str) -> None:
    network = make_network().double()
    pictures, label = (each.double() for each in make_data(make_network()))
    attack = Transfer(make_network(7).double(), PGD(12, **AWAY)) if name == "transfer" else ATTACKS[name]()
    together = attack(AttackedNetwork(network), pictures, label, [8.0])[8.0]
    alone = attack(AttackedNetwork(network), pictures[1:2], label[1:2], [8.0])[8.0]
    assert torch.allclose(together[1:2], alone, atol=1e-6)


@pytest.mark.parametrize(
    "attack", [PGD(6, 0.1, **AWAY), APGD(6, (1.0,), (1.0,), **AWAY), ProjectedAdam(6, 0.1, **AWAY)]
)
def test_it_goes_on_from_where_it_is_told(attack: Any) -> None:
    network = make_network()
    pictures, label = make_data(network)
    seen: list[torch.Tensor] = []
    attacked = AttackedNetwork(network, on_pictures=lambda each: seen.append(each.clone()))
    start = pictures + 3 * torch.sign(pictures - 128)
    start[1] = pictures[1]  # nothing was found: a random start
    attack(attacked, pictures, label, [4.0], start=start.clamp(0, 255))
    first = seen[1]
    torch.testing.assert_close(first[[0, 2]], start.clamp(0, 255)[[0, 2]])
    assert (first[1] - pictures[1]).abs().amax() > 3.5


class Parabola(nn.Module):
    """A "network" of one pixel whose logits are ±(x − ⅓)²."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        square = (x - 1 / 3).square()
        return torch.cat([square, -square], 1)


def test_apgd_looks_in_wider_balls_first_and_keeps_only_what_is_within_epsilon() -> None:
    seen: list[float] = []
    network = make_network()
    pictures, label = make_data(network)
    pictures = pictures.clamp(60, 190)
    attacked = AttackedNetwork(
        network,
        on_pictures=lambda each: seen.append((each - pictures).abs().max().item()),
    )
    found = APGD(20, **AWAY)(attacked, pictures, label, [10.0])[10.0]
    looks = seen[1:21]
    assert max(looks[:6]) == pytest.approx(20, abs=1e-3)
    assert max(looks[6:12]) == pytest.approx(15, abs=1e-3)
    assert max(looks[12:]) == pytest.approx(10, abs=1e-3)
    assert (found - pictures).abs().max() <= 10.001


def test_apgd_halves_its_steps_and_finds_a_minimum_that_fixed_steps_jump_over() -> None:
    picture, label = torch.full((1, 1, 1, 1), 100.0), torch.zeros(1, 1, 1, 1)
    values: list[float] = []

    def lowered(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        values.append(logits[:, 0].sum().item())
        return -logits[:, 0].flatten(1).sum(1)  # away: the attack lowers the square

    attacked = AttackedNetwork(Parabola())
    APGD(60, (1.0,), (1.0,), loss_function=lowered, target=None, seed=3)(attacked, picture, label, [40.0])
    assert min(values) == pytest.approx(0, abs=1e-5)


def test_apgd_needs_a_number_for_each_image() -> None:
    network = make_network()
    with pytest.raises(InputError, match="one number for each image"):
        APGD(4, loss_function=PixelCrossEntropy("sum"))(AttackedNetwork(network), *make_data(network), [4.0])
    with pytest.raises(InputError, match="the last radius must be 1"):
        APGD(4, radii=(2.0,), parts=(1.0,))


def test_adam_does_not_care_how_large_gradients_are() -> None:
    network = make_network()
    pictures, label = make_data(network)

    def tiny(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return 1e-12 * Tsallis(1.0)(logits, mask)

    usual, small = (
        ProjectedAdam(8, loss_function=loss, target=None)(AttackedNetwork(network), pictures, label, [8.0])[8.0]
        for loss in (Tsallis(1.0), tiny)
    )
    torch.testing.assert_close(usual, small, atol=0.5, rtol=0)


def test_square_needs_no_gradient_and_lowers_soft_dice_by_squares_of_plus_and_minus_epsilon() -> None:
    network = make_network()
    pictures, label = make_data(network)
    pictures = pictures.clamp(20, 235)
    gradients: list[int] = []
    seen: list[torch.Tensor] = []
    attacked = AttackedNetwork(
        network, on_gradient=lambda: gradients.append(1), on_pictures=lambda each: seen.append(each - pictures)
    )
    found = Square(60)(attacked, pictures, label, [8.0])[8.0]
    assert not gradients and len(seen) == 61  # the clean picture, and the queries
    for delta in seen[1:]:
        torch.testing.assert_close(delta.abs(), torch.full_like(delta, 8.0), atol=1e-3, rtol=0)
    signs = [delta.sign() for delta in seen[1:3]]
    assert (signs[0][:, :, 0] == signs[0][:, :, 5]).all()  # stripes
    changed = (signs[1] != signs[0]).flatten(1).float().mean(1)
    assert (changed <= 0.3).all() and changed.max() > 0
    assert dic(attacked, found, label).mean() < dic(attacked, pictures + seen[1], label).mean()


def test_labels_that_may_overlap_are_attacked() -> None:
    network = make_network(channels=3)
    pictures, _ = make_data(network)
    with torch.no_grad():
        label = (network(pictures / 255) > 0).float()
    attacked = AttackedNetwork(network, classes=Sigmoid(3))
    for attack in (PGD(8, **AWAY), APGD(8, **AWAY), Square(20)):
        found = attack(attacked, pictures, label, [16.0])[16.0]
        assert dic(attacked, found, label).mean() < 0.9


def test_shrinking_takes_foreground_only() -> None:
    network = make_network()
    pictures, label = make_data(network)
    attacked = AttackedNetwork(network)
    found = PGD(10, loss_function=ShrinkLoss(), target=None)(attacked, pictures, label, [16.0])[16.0]
    prediction = attacked.predict(found, label)
    assert (prediction[label == 1] == 0).float().mean() > (prediction[label == 0] == 1).float().mean()


def test_what_is_found_in_bfloat16_is_scored_as_the_network_predicts() -> None:
    network = make_network()
    pictures, label = make_data(network)
    dtypes: list[torch.dtype] = []
    network[2].register_forward_hook(lambda _, __, output: dtypes.append(output.dtype))
    attacked = AttackedNetwork(network, precision=torch.bfloat16)
    found = PGD(6, **AWAY)(attacked, pictures, label, [8.0])[8.0]
    assert set(dtypes) == {torch.float32, torch.bfloat16}
    assert (dic(AttackedNetwork(network), found, label) < 1).all()


def test_the_worst_is_kept_of_each_image() -> None:
    network = make_network()
    pictures, label = make_data(network)
    attacked = AttackedNetwork(network)
    inverted = 255 - pictures
    mixed = torch.stack([pictures[0], inverted[1], pictures[2]])
    worst = WorstFound(attacked, pictures, label)
    worst.offer(mixed)
    assert torch.equal(worst.picture, mixed)
    other = WorstFound(attacked, inverted, label)
    worst.merge(other)
    expected = torch.minimum(dic(attacked, mixed, label), dic(attacked, inverted, label))
    assert worst.dic.tolist() == expected.tolist() == dic(attacked, worst.picture, label).tolist()
    kept = worst.copy()
    worst.offer(pictures)
    assert kept.dic.tolist() == worst.dic.tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Square(0), "Square: queries must be"),
        (lambda: Square(5, size=0), "Square: queries must be"),
        (lambda: ProjectedAdam(relative_step=0.0), "step"),
        (lambda: PGD(0), "iterations and restarts"),
        (lambda: APGD(seed=-1), "seed"),
        (lambda: APGD(3), "3 in 3 parts leave no step that moves in the last; give more"),
        (lambda: APGD(10, parts=(0.5, 0.4, 0.1)), "10 in 3 parts leave no step that moves in the last"),
        (lambda: APGD(parts=(0.5, 0.5, 0)), r"parts: each must be above 0, .* got \(0.5, 0.5, 0\)"),
        (lambda: APGD(parts=(1, 1, 1)), r"their sum must be 1, got \(1, 1, 1\)"),
        (lambda: APGD(20, parts=(0.9, 0.9, 0.5)), r"their sum must be 1, got \(0.9, 0.9, 0.5\)"),
        (lambda: APGD(parts=(0.3, float("nan"), 0.4)), "parts: each must be above 0"),
        (lambda: APGD(radii=(-2.0, 1.5, 1.0)), "each radius must be above 0"),
        (lambda: APGD(radii=(), parts=()), "the last radius must be 1"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_apgd_takes_parts_whose_sum_is_one_but_for_rounding() -> None:
    assert sum([0.1] * 10) != 1
    network = make_network()
    seen: list[int] = []
    attacked = AttackedNetwork(network, on_gradient=lambda: seen.append(1))
    APGD(20, (2.0,) * 9 + (1.0,), (0.1,) * 10, **AWAY)(attacked, *make_data(network), [8.0])
    assert len(seen) == 20
