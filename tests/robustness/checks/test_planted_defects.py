# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn

from pipeline.attacks import AttackedNetwork, OutputClasses, Sigmoid, Softmax
from pipeline.robustness.checks import CHECKS, Check, Evidence
from pipeline.robustness.checks import finite_differences as differences
from pipeline.robustness.checks.outputs import output_of
from tests.robustness.planted import (
    EPSILONS,
    PLANTED,
    Around,
    clean_table,
    evidence_of,
    failing,
    phantoms,
    several_losses,
    trained_nlcen,
    trained_unet,
)

BY_NAME = {check.name: check for check in CHECKS}
FORWARD, BATCH = "forward passes agree", "results do not depend on the batch"
MODE, LOGITS = "same logits with and without gradients", "output is logits"
ZERO, SCALE = "gradients are not zero", "rescaled logits"
DIFFERENCES, HUGE = "gradient against finite differences", "a huge ε breaks it"
DRAWS, LEAK = "average over draws", "attacks agree"
EARLIER, MIRRORED = "answers do not depend on earlier pictures", "mirrored pictures fall alike"
QUICK = (FORWARD, BATCH, EARLIER, MODE, LOGITS, ZERO, DIFFERENCES)

# what must fail of the quick checks, and of all others
EXPECTED = {
    "batch normalization in training mode": ({BATCH, DIFFERENCES}, set()),
    "dropout at test time": ({FORWARD}, set()),
    "random noise before the network": ({FORWARD}, set()),
    "random resizing before the network": ({FORWARD}, set()),
    "noise seeded by the picture": ({BATCH, DIFFERENCES}, set()),
    "logits × 100": ({ZERO}, {SCALE}),
    "softmax inside": ({LOGITS}, set()),
    "sigmoid inside": ({LOGITS}, set()),
    "scaled softmax inside": ({LOGITS}, set()),
    "ReLU before the logits": ({ZERO}, set()),
    "clamped logits": ({ZERO}, set()),
    "saturated tanh": ({LOGITS, ZERO}, set()),
    "rounding": ({ZERO, DIFFERENCES}, {HUGE}),
    "rounding to whole grey levels": ({ZERO, DIFFERENCES}, {HUGE}),
    "thresholding": ({ZERO, DIFFERENCES}, {HUGE}),
    "shattered gradients": ({DIFFERENCES}, {HUGE}),
    "straight-through rounding": ({DIFFERENCES}, set()),
    "detached branch": ({DIFFERENCES}, set()),
    "changed gradients": ({DIFFERENCES}, {HUGE}),
    "changed gradients of some pictures": ({DIFFERENCES}, set()),
    "changed gradients of unequal pixels": ({DIFFERENCES}, set()),
    "gradients that are no numbers": ({ZERO}, set()),
    "blurred in some calls": ({FORWARD}, set()),
    "each call shifts the next": ({FORWARD}, set()),
    "answers kept for near pictures": ({EARLIER}, {MIRRORED}),
    "test pictures known by heart": (set(), {MIRRORED}),
    "another network where gradients are asked for": ({MODE, DIFFERENCES}, set()),
}


@pytest.fixture(scope="session")
def unet() -> nn.Module:
    return trained_unet()


@pytest.fixture(autouse=True)
def the_same_draws() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def clean_evidence(network: nn.Module, count: int = 2) -> Evidence:
    """Evidence without an attack in its table."""
    picture, label = phantoms(range(1000, 1000 + count))
    fresh = copy.deepcopy(network)
    attacked, images = AttackedNetwork(network, keep_going=True), tuple(map(str, range(count)))
    table = clean_table(attacked, picture, label, images)
    return Evidence(attacked, picture, label, images, table, EPSILONS, fresh=fresh)


def test_every_planted_network_is_expected() -> None:
    assert set(EXPECTED) == set(PLANTED)


@pytest.mark.parametrize("defect", PLANTED)
def test_quick_checks_notice_a_planted_defect_and_nothing_else(unet: nn.Module, defect: str) -> None:
    evidence = clean_evidence(PLANTED[defect](copy.deepcopy(unet)).eval())
    assert failing(evidence, [BY_NAME[name] for name in QUICK]) == EXPECTED[defect][0]


@pytest.mark.parametrize(
    ("defect", "why"),
    [
        ("shattered gradients", "they are right, but for a small part of a grey level only"),
        ("changed gradients", "something in the network rounds, cuts or changes them"),
        ("straight-through rounding", "something in the network rounds, cuts or changes them"),
        ("thresholding", "something in the network rounds, cuts or changes them"),
    ],
)
def test_gradients_that_hold_too_near_are_told_from_wrong_ones(unet: nn.Module, defect: str, why: str) -> None:
    result = BY_NAME[DIFFERENCES](clean_evidence(PLANTED[defect](copy.deepcopy(unet)).eval()))
    assert result.status == "failed" and f": {why}" in result.meaning and result.meaning.endswith("are too high.")


def test_quick_checks_are_silent_on_an_honest_network(unet: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [BY_NAME[name] for name in QUICK]
    assert failing(clean_evidence(unet), checks) == set()
    # as on a device, or of a network, that has no float64
    monkeypatch.setattr(differences, "_in_float64", lambda attacked, picture: None)
    assert failing(clean_evidence(unet), checks) == set()
    changed = clean_evidence(PLANTED["changed gradients"](copy.deepcopy(unet)).eval())
    assert failing(changed, [BY_NAME[DIFFERENCES]]) == {DIFFERENCES}


class InBfloat16(Around):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(x).float()


class OfEverySecondPixel(Around):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x[..., ::2, ::2].repeat_interleave(2, -1).repeat_interleave(2, -2))


class OneLogit(Around):
    """The same network with one output, and ten times as sure: the other logit is not needed."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        background, foreground = self.network(x).split(1, 1)
        return 10 * (foreground - background)


def test_quick_checks_are_silent_on_honest_ways_to_compute(unet: nn.Module) -> None:
    checks = [BY_NAME[name] for name in QUICK]
    assert failing(clean_evidence(InBfloat16(unet).eval()), checks) == set()
    assert failing(clean_evidence(OfEverySecondPixel(unet).eval()), checks) == set()
    evidence = clean_evidence(unet)
    one = AttackedNetwork(OneLogit(unet).eval(), classes=Sigmoid())
    assert output_of(one, evidence.picture).max() > 17
    assert failing(replace(evidence, attacked=one, fresh=one.network), checks) == set()
    # gradients of another network are noticed in bfloat16, too
    changed = InBfloat16(PLANTED["changed gradients"](copy.deepcopy(unet))).eval()
    assert failing(clean_evidence(changed), checks) == {DIFFERENCES}


@pytest.mark.parametrize(
    ("check", "defect"),
    [
        (SCALE, "logits × 100"),
        (HUGE, "rounding"),
        (DRAWS, "random noise before the network"),
        (MIRRORED, "test pictures known by heart"),
    ],
)
def test_checks_that_attack(unet: nn.Module, check: str, defect: str) -> None:
    honest = BY_NAME[check](clean_evidence(unet, 4))
    assert honest.status == ("not applicable" if check == DRAWS else "passed")
    found = BY_NAME[check](clean_evidence(PLANTED[defect](copy.deepcopy(unet)).eval(), 4))
    assert found.value is not None
    # here steps average as well as draws do: it is attacked, and that is said
    assert found.status == ("passed" if check == DRAWS else "failed")
    shown = {
        SCALE: found.value > 0.1,
        HUGE: found.value > 0.5,
        DRAWS: abs(found.value) < 0.1,
        MIRRORED: found.value > 0.3,
    }
    assert shown[check]


def gradients_of(check: Check, evidence: Evidence) -> int:
    """How many gradients a check computes for each image."""
    count = [0]
    evidence.attacked.on_gradient = lambda: count.__setitem__(0, count[0] + 1)
    check(evidence)
    return count[0]


def test_the_floor_of_the_pictures_is_the_bound_of_a_huge_epsilon(unet: nn.Module) -> None:
    evidence = clean_evidence(unet)
    # what the floor is on pictures that are not tried does not count
    enough, too_low = ({"0": each, "1": each, "not tried": other} for each, other in ((0.6, -1.0), (-0.1, 9.0)))
    assert BY_NAME[HUGE](replace(evidence, floor=enough)).status == "passed"
    assert BY_NAME[HUGE](replace(evidence, floor=too_low)).status == "failed"
    # a loss that is enough is the last that is tried
    assert gradients_of(BY_NAME[HUGE], replace(evidence, floor=enough)) == 20
    assert gradients_of(BY_NAME[HUGE], replace(evidence, floor=too_low)) == 60


def test_logits_of_an_ordinary_scale_are_not_attacked(unet: nn.Module) -> None:
    found = BY_NAME[SCALE](clean_evidence(unet))
    assert found.status == "passed" and found.value is None and "ordinary scale" in found.meaning
    assert gradients_of(BY_NAME[SCALE], clean_evidence(unet)) == 0
    scaled = clean_evidence(PLANTED["logits × 100"](copy.deepcopy(unet)).eval())
    assert gradients_of(BY_NAME[SCALE], scaled) == 20 * len(EPSILONS)


@pytest.mark.parametrize(
    ("classes", "dimensions", "channels", "window"),
    [(Softmax(4), 2, 3, 0), (Sigmoid(1), 2, 1, 0), (Sigmoid(3), 3, 1, 0), (Softmax(2), 3, 1, 8)],
    ids=["classes_of_color", "one_channel", "labels_of_volumes", "windows"],
)
def test_any_output_picture_and_inferer(classes: OutputClasses, dimensions: int, channels: int, window: int) -> None:
    torch.manual_seed(0)
    kind: Callable[..., nn.Module] = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
    network = nn.Sequential(kind(channels, 8, 3, padding=1), nn.Tanh(), kind(8, classes.channels, 1, bias=False)).eval()
    nn.init.normal_(network[2].weight)
    # grey is zero, so that every class is found somewhere
    network[0].bias.data = -0.5 * network[0].weight.data.flatten(1).sum(1)
    picture = 255 * torch.rand(2, channels, *[10] * dimensions)
    inferer = SlidingWindowInferer([window] * dimensions, overlap=0.5) if window else None
    attacked = AttackedNetwork(network, inferer, classes)
    label = attacked.predict(picture, torch.zeros(2, classes.mask_channels, *picture.shape[2:])).float()
    count = [0]
    attacked.on_gradient = lambda: count.__setitem__(0, count[0] + 1)
    table = clean_table(attacked, picture, label, ("a", "b"))
    evidence = Evidence(attacked, picture, label, ("a", "b"), table, EPSILONS, fresh=copy.deepcopy(network))
    for check in CHECKS:
        count[0] = 0
        result = check(evidence)
        assert result.name == check.name and result.meaning.endswith(".")
        assert check.name not in QUICK or result.status == "passed", result
        assert count[0] <= 60
    assert network(picture / 255).requires_grad  # left as it was


@pytest.mark.slow
@pytest.mark.parametrize("defect", PLANTED)
def test_all_checks_notice_a_planted_defect_and_nothing_else(unet: nn.Module, defect: str) -> None:
    evidence = evidence_of(PLANTED[defect](copy.deepcopy(unet)).eval())
    assert failing(evidence, CHECKS) == set.union(*EXPECTED[defect])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["unet", "nlcen", "several losses"])
def test_all_checks_are_silent_on_honest_networks(kind: str) -> None:
    network = {
        "unet": lambda: trained_unet(norm="instance"),
        "nlcen": trained_nlcen,
        "several losses": lambda: trained_unet(150, several_losses()),
    }[kind]()
    assert failing(evidence_of(network), CHECKS) == set()


def test_a_check_is_one_line() -> None:
    checks: tuple[Check, ...] = CHECKS
    assert len({check.name for check in checks}) == len(checks) == 15
