# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.attacks import AttackedNetwork
from pipeline.robustness.checks import CHECKS, CheckResult, Evidence

IMAGES = tuple("abcdefghij")
Figures = Mapping[str, Mapping[float, float]]


class Threshold(nn.Module):
    """Bright is the object; every attack that lowers bright pixels works."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - x, x - 0.5], 1)


def check(
    name: str, clean: float, figures: Figures, moved: Mapping[str, float] | None = None, **settings: frozenset[str]
) -> CheckResult:
    """What a check says of a table with the same DIC for every image."""
    rows = [(image, 0.0, "clean", clean, 0.0) for image in IMAGES]
    rows += [
        (image, epsilon, attack, dic, (moved or {}).get(image, 1.0))
        for attack, curve in figures.items()
        for epsilon, dic in curve.items()
        for image in IMAGES
    ]
    scores = pd.DataFrame(rows, columns=["image", "epsilon", "attack", "DIC", "moved"])
    # bright squares on dark ground, both 12 grey levels from the threshold
    label = torch.zeros(10, 1, 8, 8)
    label[:, :, 2:6, 2:6] = 1
    picture = 115.5 + 24 * label
    epsilons = tuple(sorted({epsilon for curve in figures.values() for epsilon in curve}))
    (found,) = (each for each in CHECKS if each.name == name)
    return found(Evidence(AttackedNetwork(Threshold()), picture, label, IMAGES, scores, epsilons, **settings))


# measured: NLCENs trained against the paper's loss alone, with NLCE the second one
LEAKING = {"paper": {8: 0.942, 16: 0.938, 32: 0.905}, "dice": {8: 0.872, 16: 0.765, 32: 0.210}}
TAKING_MOST = {"paper": {2: 0.934, 8: 0.933, 16: 0.925, 32: 0.884}, "dice": {2: 0.918, 8: 0.864, 16: 0.780, 32: 0.546}}
# undefended NLCENs, some trained against several losses, and an undefended NWCN
HONEST: list[tuple[float, Figures]] = [
    (0.955, {"paper": {2: 0.938, 8: 0.497}, "dice": {2: 0.863, 8: 0.098}}),
    (0.953, {"paper": {8: 0.947, 32: 0.805}, "dice": {8: 0.919, 32: 0.362}}),
    (0.924, {"paper": {8: 0.924}, "dice": {8: 0.890}}),
    (0.9, {"dice": {8: 0.2}, "grow": {8: 0.9}, "square": {8: 0.9}, "noise": {8: 0.9}}),
    (0.935, {"paper": {2: 0.935, 8: 0.932, 16: 0.926, 32: 0.883}, "dice": {2: 0.930, 8: 0.910, 16: 0.875, 32: 0.730}}),
    (0.953, {"paper": {8: 0.926, 16: 0.899, 32: 0.810}, "dice": {8: 0.658, 16: 0.307, 32: 0.050}}),
    (0.833, {"paper": {2: 0.833, 8: 0.821, 32: 0.764}, "dice": {2: 0.806, 8: 0.648, 32: 0.092}}),
    # a volume drawn too large, which the attack trims, and a small organ that it is slow to find
    (0.956, {"paper": {2: 0.960, 8: 0.968, 32: 0.768}, "dice": {2: 0.941, 8: 0.898, 32: 0.453}}),
    (0.948, {"balanced": {2: 0.948, 8: 0.948, 32: 0.754}, "dice": {2: 0.933, 8: 0.884, 32: 0.597}}),
    (0.982, {"paper": {2: 0.985, 8: 0.982, 32: 0.565}, "dice": {2: 0.968, 8: 0.886, 32: 0.164}}),
]


def test_an_attack_that_takes_nothing_is_an_alarm_where_another_takes_little_too() -> None:
    # a U-Net trained against the paper's loss alone, for 600 steps
    found = check("attacks agree", 0.907, {"paper": {8: 0.904}, "dice": {8: 0.819}})
    assert found.status == "failed" and found.value == pytest.approx(0.085)
    assert "where another attack is 0.085 lower, and no larger ε was tried" in found.meaning


def test_an_attack_that_takes_nothing_at_one_epsilon_must_take_little_at_all_larger_ones() -> None:
    found = check("attacks agree", 0.934, TAKING_MOST)
    assert found.status == "failed" and found.value == pytest.approx(0.933 - 0.864)
    # 0.050 of 0.388
    assert "paper leaves DIC 0.933 (clean 0.934), where another attack is 0.069 lower" in found.meaning
    assert "at larger ε it takes 13% of what the worst takes at most" in found.meaning
    # nothing but the largest ε has changed
    more = {**TAKING_MOST, "paper": {**TAKING_MOST["paper"], 32: 0.87}}
    assert check("attacks agree", 0.934, more).status == "passed"
    # what the noise finds is a worst case, too
    assert check("attacks agree", 0.934, {**more, "noise": {32: 0.3}}).status == "failed"


@pytest.mark.parametrize("epsilons", [(8, 16, 32), (16,), (8, 32)])
def test_attacks_agree_is_seen_in_the_table(epsilons: tuple[float, ...]) -> None:
    figures = {attack: {epsilon: curve[epsilon] for epsilon in epsilons} for attack, curve in LEAKING.items()}
    found = check("attacks agree", 0.938, figures)
    worst = epsilons[-1]
    assert found.status == "failed"
    assert found.value == pytest.approx(LEAKING["paper"][worst] - LEAKING["dice"][worst])


@pytest.mark.parametrize(("clean", "figures"), HONEST)
def test_attacks_that_differ_are_no_alarm(clean: float, figures: Figures) -> None:
    found = check("attacks agree", clean, figures)
    assert (found.status, found.value) == ("passed", 0.0)


def test_a_network_that_has_learned_nothing_raises_none() -> None:
    found = check("attacks agree", 0.013, {"paper": {8: 0.35}, "dice": {8: 0.0}})
    assert (found.status, found.value) == ("not applicable", pytest.approx(0.013))


def test_attacks_agree_is_seen_in_the_last_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack that leads back to the clean picture, where the table only has its best one."""
    from pipeline.robustness.checks import attacks_agree

    descend = attacks_agree.descend

    def leaking(attacked: AttackedNetwork, picture: torch.Tensor, *rest: object, **more: object) -> torch.Tensor:
        return descend(attacked, picture, *rest, **more) if more["towards"] is None else picture

    monkeypatch.setattr(attacks_agree, "descend", leaking)
    found = check("attacks agree", 1.0, {"inversion": {32.0: 0.9}, "dice": {32.0: 0.1}})
    assert found.status == "failed" and "inverse mask" in found.meaning
    assert found.value is not None and found.value >= 0.9
    # the paper's attack is the same direction, as it is, and on all images
    found = check("attacks agree", 1.0, {"paper": {32.0: 0.9}, "dice": {32.0: 0.1}})
    assert found.status == "passed"


@pytest.mark.parametrize(
    ("moved", "dic", "status", "value"),
    [
        ({"a": 0.5, "b": 0.0}, 0.5, "failed", 0.2),
        ({"a": 0.5, "b": 0.99999}, 0.5, "passed", 0.1),
        ({"a": 0.5, "b": 0.0}, 0.0, "not applicable", None),
        ({image: float("nan") for image in IMAGES}, 0.5, "not applicable", None),
    ],
)
def test_attacks_move(moved: Mapping[str, float], dic: float, status: str, value: float | None) -> None:
    found = check("attacks move", 0.9, {"lazy": {8: dic}, "noise": {8: 0.9}}, moved)
    assert (found.status, found.value) == (status, pytest.approx(value))
    assert ("lazy" in found.meaning) == (status == "failed")


@pytest.mark.parametrize(
    ("attack", "images"), [("shrink", {"empty": frozenset("abc")}), ("grow", {"full": frozenset("abc")})]
)
def test_attacks_of_one_direction_need_not_move_without_a_gradient(
    attack: str, images: Mapping[str, frozenset[str]]
) -> None:
    still = dict.fromkeys("abc", 0.0)
    found = check("attacks move", 0.9, {attack: {8: 0.5}, "dice": {8: 0.0}}, still, **images)
    assert (found.status, found.value) == ("passed", 0.0)
    assert "(left out, as an empty or a full mask gives the attack no gradient: 3)" in found.meaning
    # of the others it is asked, and so are other attacks
    assert check("attacks move", 0.9, {attack: {8: 0.5}}, {**still, "d": 0.0}, **images).value == pytest.approx(1 / 7)
    assert check("attacks move", 0.9, {"dice": {8: 0.5}}, still, **images).status == "failed"
    assert check("attacks move", 0.9, {attack: {8: 0.5}}, still).status == "failed"
    assert (
        check("attacks move", 0.9, {attack: {8: 0.5}}, still, **dict.fromkeys(images, frozenset(IMAGES))).value is None
    )


@pytest.mark.parametrize(
    ("square", "noise", "status", "value"),
    [(0.47, 0.9, "failed", 0.03), (0.49, 0.9, "passed", 0.01), (0.6, 0.45, "failed", 0.05), (0.6, 0.9, "passed", -0.1)],
)
def test_gradients_beat_attacks_without_them(square: float, noise: float, status: str, value: float) -> None:
    # what is found at ε = 4 is allowed at 8
    figures = {"margin": {4: 0.5, 8: 0.8}, "square": {8: square}, "noise": {8: noise}}
    found = check("gradients beat attacks without them", 0.95, figures)
    assert (found.status, found.value) == (status, pytest.approx(value))
    nothing = check("gradients beat attacks without them", 0.95, {"margin": {4: 0.5}})
    assert (nothing.status, nothing.value) == ("not applicable", None)


@pytest.mark.parametrize(("left", "status", "value"), [(0.5, "failed", 0.5), (0.0, "passed", 0.0)])
def test_many_steps_beat_one(left: float, status: str, value: float) -> None:
    """One step of 16 turns every pixel over; one of 8 none."""
    found = check("many steps beat one", 1.0, {"margin": {8: 0.5, 16: left}})
    assert (found.status, found.value) == (status, pytest.approx(value))
