# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math

import pytest
import torch
from monai.losses import DiceLoss
from torch import nn

from pipeline.attacks import PGD, AttackedNetwork, IterativeFGSM, Softmax, UniformNoise, attack_identity
from pipeline.losses import GrowLoss, PixelCrossEntropy, SegPGDSchedule, ShrinkLoss, TsallisSweep
from pipeline.utils import InputError
from tests.attacks import small


def make_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.Tanh(), nn.Conv2d(8, 2, 3, padding=1)).eval()


def make_data(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures that the network segments without a fault."""
    pictures = 255 * torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return pictures, network(pictures / 255).argmax(1, keepdim=True).float()


def dic(network: nn.Module, pictures: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        prediction = network(pictures / 255).argmax(1, keepdim=True).float()
    return 2 * (prediction * label).sum((1, 2, 3)) / (prediction + label).sum((1, 2, 3))


@pytest.mark.parametrize("cosine", [False, True])
def test_it_is_gradient_descent_on_the_sign_projected_to_the_ball_and_the_range(cosine: bool) -> None:
    network = make_network()
    pictures, label = make_data(network)
    epsilon, iterations, step = 6.0, 7, 0.3
    (x,) = UniformNoise(seed=5)(AttackedNetwork(network), pictures, label, [epsilon]).values()
    path = [x]
    for number in range(iterations):
        x = x.detach().requires_grad_()
        loss = nn.functional.cross_entropy(network(x / 255), 1 - label[:, 0].long(), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
        part = math.cos(math.pi * number / iterations / 2) ** 2 if cosine else 1
        x = x.detach() - step * part * epsilon * gradient.sign()
        x = torch.minimum(torch.maximum(x, pictures - epsilon), pictures + epsilon).clamp(0, 255)
        path.append(x)
    scores = torch.stack([dic(network, each, label) for each in path])
    worst = torch.stack(path)[scores.argmin(0), torch.arange(len(pictures))]
    attack = PGD(iterations, step, cosine, seed=5)
    seen: list[torch.Tensor] = []
    attacked = AttackedNetwork(network, on_pictures=lambda each: seen.append(each.clone()))
    found = attack(attacked, pictures, label, [epsilon])[epsilon]
    assert attack.gradients([epsilon]) == iterations
    assert (scores.amin(0) < 1).all()  # so that no image keeps its clean picture
    torch.testing.assert_close(torch.stack(seen[1:]), torch.stack(path), rtol=0, atol=1e-3)
    assert dic(network, found, label).tolist() == pytest.approx(scores.amin(0).tolist(), abs=1e-6)
    assert (dic(network, worst, label) == dic(network, found, label)).all()


def test_it_stays_in_the_ball_and_does_more_harm_than_noise() -> None:
    network = make_network()
    pictures, label = make_data(network)
    epsilons = [2.0, 8.0, 32.0]
    found = PGD(iterations=10)(AttackedNetwork(network), pictures, label, epsilons)
    noisy = UniformNoise()(AttackedNetwork(network), pictures, label, epsilons)
    for epsilon in epsilons:
        assert (found[epsilon] - pictures).abs().max() <= epsilon + 1e-4
        assert found[epsilon].min() >= 0 and found[epsilon].max() <= 255
        assert (dic(network, found[epsilon], label) < dic(network, noisy[epsilon], label)).all()


def leads_nowhere(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return 0 * logits.sum()


@pytest.mark.parametrize("loss", [PixelCrossEntropy("sum"), leads_nowhere])
def test_dic_never_rises_with_epsilon_nor_with_restarts(loss: object) -> None:
    """Not even for a loss that leads nowhere, where only the random starts do harm."""
    network = make_network()
    pictures, label = make_data(network)
    epsilons = [1.0, 2.0, 4.0, 8.0]
    curves = [
        [
            dic(network, x, label)
            for x in PGD(2, restarts=restarts, loss_function=loss)(
                AttackedNetwork(network), pictures, label, epsilons
            ).values()
        ]
        for restarts in (1, 4)
    ]
    for curve in curves:
        assert all((later <= earlier).all() for earlier, later in zip(curve, curve[1:], strict=False))
    assert all((many <= one).all() for one, many in zip(*curves, strict=True))
    if loss is leads_nowhere:
        assert any((many < one).any() for one, many in zip(*curves, strict=True))


def test_an_image_is_attacked_alike_in_any_batch() -> None:
    network = make_network().double()
    pictures, label = (each.double() for each in make_data(make_network()))
    together = PGD(5, restarts=2)(AttackedNetwork(network), pictures, label, [8.0])[8.0]
    alone = PGD(5, restarts=2)(AttackedNetwork(network), pictures[1:2], label[1:2], [8.0])[8.0]
    assert torch.allclose(together[1:2], alone, atol=1e-6)


def test_a_scheduled_loss_is_asked_for_each_step() -> None:
    asked: list[float] = []

    class Noting(SegPGDSchedule):
        def at(self, progress: float) -> nn.Module:
            asked.append(progress)
            return super().at(progress)

    network = make_network()
    pictures, label = make_data(network)
    PGD(4, restarts=2, loss_function=Noting(), target=None)(AttackedNetwork(network), pictures, label, [8.0])
    assert asked == [0.0, 0.25, 0.5, 0.75] * 2
    with pytest.raises(InputError, match="use PGD"):
        IterativeFGSM(loss_function=TsallisSweep())
    identities = {json.dumps(attack_identity(PGD(loss_function=loss))) for loss in (SegPGDSchedule(), TsallisSweep())}
    assert len(identities | {json.dumps(attack_identity(PGD(loss_function=TsallisSweep(first=0.0))))}) == 3


def test_losses_that_couple_pixels_or_know_one_direction_do_what_they_say() -> None:
    network = make_network()
    pictures, label = make_data(network)
    attacked = AttackedNetwork(network)
    before = attacked.predict(pictures, label) > 0
    for loss, direction in ((ShrinkLoss(), -1), (GrowLoss(), 1)):
        found = PGD(10, loss_function=loss, target=None)(attacked, pictures, label, [8.0])[8.0]
        after = attacked.predict(found, label) > 0
        assert direction * (after.sum() - before.sum()) > 0
    dice = DiceLoss(include_background=False, to_onehot_y=True, softmax=True, reduction="sum")
    found = PGD(10, loss_function=dice, target=None)(attacked, pictures, label, [8.0])[8.0]
    assert (dic(network, found, label) < dic(network, pictures, label)).all()


def test_more_than_two_classes_need_an_attack_without_target() -> None:
    network = small.make_network(channels=3)
    pictures, label = small.make_data(network)
    for attack in (PGD(2), IterativeFGSM()):
        with pytest.raises(InputError, match="With more, give the attack no target"):
            attack(AttackedNetwork(network, classes=Softmax(3)), pictures, label, [1.0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": 0}, "iterations and restarts: whole numbers of at least 1 are needed, got 0 and 1."),
        ({"restarts": 0}, "iterations and restarts: whole numbers of at least 1 are needed, got 20 and 0."),
        ({"relative_step": 0.0}, "step: the step size must be finite and above 0, got 0.0."),
        ({"value_range": (1.0, 0.0)}, "value_range: two grey levels are needed, the lower one first, or null, got "),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        PGD(**settings)
    assert str(error.value)[: len(message)] == message
