# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.attacks import AttackedNetwork, IterativeFGSM, ProjectedAdam, Sigmoid, Softmax, num_gradients
from pipeline.losses import SoftDice
from pipeline.robustness import BUDGETS, RECIPES, Battery, Budget, Finding, budget_epsilons
from pipeline.robustness.battery import _Run
from pipeline.robustness.recipes import Recipe
from pipeline.utils import InputError
from tests.attacks.small import make_data, make_network

SMALL = Budget((2.0, 8.0), {"dice": 4, "inversion": 2, "grow": 2}, 5, 2, 5)


def run(battery: Battery, channels: int = 2) -> tuple[list[Finding], AttackedNetwork, torch.Tensor, torch.Tensor]:
    network = make_network(channels=channels).double()
    pictures, label = (each.double() for each in make_data(make_network(channels=channels)))
    attacked = AttackedNetwork(network, classes=Softmax(channels))
    return list(battery(attacked, pictures, label)), attacked, pictures, label


def dic(attacked: AttackedNetwork, finding: Finding, label: torch.Tensor) -> torch.Tensor:
    return attacked.scores(finding.prediction, label)[:, 0]


def test_every_attack_is_run_at_every_epsilon_from_the_smallest_and_refined_at_its_end() -> None:
    findings, *_ = run(Battery(SMALL))
    each = ["noise", "paper", "dice", "inversion", "grow", "square", "refined"]
    parts = [key for key, _ in groupby((finding.epsilon, finding.attack) for finding in findings)]
    assert parts == [(epsilon, name) for epsilon in (2.0, 8.0) for name in each]


def test_what_is_found_is_within_epsilon_and_predicted_by_the_network() -> None:
    findings, attacked, pictures, label = run(Battery(SMALL))
    for finding in findings:
        assert (finding.picture - pictures).abs().max() <= finding.epsilon + 1e-9
        assert torch.equal(finding.prediction, attacked.predict(finding.picture, label))
        assert ((finding.moved > 0.5) & (finding.moved <= 1)).all()


class Linear(nn.Module):
    """Brighter than mid-grey is foreground; the first ``deaf`` rows give no gradient."""

    def __init__(self, deaf: int = 0) -> None:
        super().__init__()
        self.deaf = deaf

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = torch.cat([images[:, :, : self.deaf].detach(), images[:, :, self.deaf :]], 2)
        return torch.cat([0.5 - images, images - 0.5], 1)


@pytest.mark.parametrize(("deaf", "moved"), [(0, 1.0), (5, 1.0), (8, 0.0)])
def test_an_attack_that_its_gradients_keep_in_a_corner_moves_and_one_without_gradients_does_not(
    deaf: int, moved: float
) -> None:
    label = (torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).double()
    pictures = 60 + 130 * label  # out of reach, so that DIC stays 1 and every ε is attacked
    pictures[0, 0, 7], pictures[1, 0, 7] = 255.0 * label[0, 0, 7], 251.0 * label[1, 0, 7]
    battery = Battery(Budget((2.0, 8.0), {"dice": 4, "cross-entropy": 3}, 4, 2))
    findings = list(battery(AttackedNetwork(Linear(deaf).double()), pictures, label))
    by_gradient = [each for each in findings if each.attack in ("dice", "cross-entropy", "refined")]
    assert {each.epsilon for each in by_gradient} == {2.0, 8.0} and all((each.dic == 1).all() for each in by_gradient)
    assert [each.moved.tolist() for each in by_gradient] == [pytest.approx([moved] * 2)] * len(by_gradient)


@pytest.mark.parametrize(("granted", "part"), [(0, 1), (2, 4)], ids=["none", "saved"])
def test_a_refinement_that_has_nothing_to_spend_is_no_attack_that_does_not_move(granted: int, part: int) -> None:
    findings, *_ = run(Battery(Budget((2.0, 8.0), {"dice": 4}, granted, part)))
    refined = [finding for finding in findings if finding.attack == "refined"]
    spent = [bool((finding.gradients > 0).all()) for finding in refined]
    assert spent == [False, bool(granted)]
    for finding, has_spent in zip(refined, spent, strict=True):
        assert (finding.moved > 0.5).all() if has_spent else finding.moved.isnan().all()


def test_nothing_that_an_attack_has_found_is_lost_and_refining_begins_with_the_worst_of_all() -> None:
    findings, attacked, _, label = run(Battery(SMALL))
    worst, own = torch.ones(len(label), dtype=torch.float64), {}
    for finding in findings:
        found = dic(attacked, finding, label)
        if finding.attack == "refined":
            assert (found <= worst).all()
        elif finding.attack != "noise":
            assert (found <= own.get(finding.attack, 1.0)).all()
            own[finding.attack] = found
        worst = torch.minimum(worst, found)
    assert (worst < 0.96).all()


def test_the_papers_attack_in_it_is_the_papers_attack() -> None:
    findings, attacked, pictures, label = run(Battery(SMALL))
    alone = IterativeFGSM()(attacked, pictures, label, [2.0, 8.0])
    for finding in findings:
        if finding.attack == "paper" and finding.epsilon == 2:
            torch.testing.assert_close(finding.picture, alone[2.0])


def test_the_papers_attack_and_the_noise_are_shown_as_they_are_even_where_they_raise_dic() -> None:
    class Leaking(nn.Module):
        """A pixel that grows brighter is taken for foreground, the more the darker it was."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([0 * x, 4 * (x * 255 - (x * 255).round(decimals=-1)).abs() - 0.5], 1)

    class Raised(IterativeFGSM):
        def __call__(self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor, *rest: Any) -> Any:
            return dict.fromkeys(rest[0], picture + label)

    pictures = torch.full((1, 1, 8, 8), 100.0, dtype=torch.float64)
    label = torch.zeros_like(pictures)
    label[..., 2:6, 2:6] = 1
    run = _Run(AttackedNetwork(Leaking()), pictures, label)
    found = run.at_all("paper", Raised(), [2.0, 8.0])
    assert run.clean.dic.item() == 0 and [found[epsilon].dic.item() for epsilon in (2.0, 8.0)] == [1, 1]
    run.keep(found[2.0])
    assert run.worst.dic.item() == 0


def test_no_image_depends_on_the_others() -> None:
    network = make_network().double()
    pictures, label = (each.double() for each in make_data(make_network()))
    together = list(Battery(SMALL)(AttackedNetwork(network), pictures, label))
    alone = list(Battery(SMALL)(AttackedNetwork(network), pictures[1:2], label[1:2]))
    for both, one in zip(together, alone, strict=True):
        torch.testing.assert_close(both.picture[1:2], one.picture, atol=1e-6, rtol=0)
        assert both.gradients[1] == one.gradients[0]


@pytest.mark.parametrize(("name", "most"), [("quick", 97), ("standard", 600), ("full", 3201)])
def test_a_budget_is_kept(name: str, most: int) -> None:
    battery = Battery(BUDGETS[name])
    assert battery.gradients(Softmax()) == most  # as the documentation says
    assert set(BUDGETS[name].steps) <= set(RECIPES)
    assert name == "quick" or set(BUDGETS[name].steps) == set(RECIPES)
    assert budget_epsilons(name) == list(BUDGETS[name].epsilons)


def test_an_image_is_refined_while_it_helps_and_what_is_saved_is_spent_at_a_larger_epsilon() -> None:
    granted, part = 21, 3
    findings, *_ = run(Battery(Budget((8.0, 64.0), {"dice": 1, "grow": 1}, granted, part)))
    saved, worst = torch.zeros(3, dtype=torch.long), torch.ones(3, dtype=torch.float64)
    lengths = set()
    for (_, attack), found in groupby(findings, key=lambda each: (each.epsilon, each.attack)):
        going, refined = torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)
        saved += granted * (attack == "refined")
        for number, finding in enumerate(found):
            if attack == "refined":
                for index, spent in enumerate(finding.gradients.tolist()):
                    affordable = [n for n in (1, 2, 4)[: number + 1] if n * part <= saved[index]]
                    assert spent == (part * max(affordable, default=0) if going[index] and worst[index] > 0 else 0)
                    lengths.add(spent)
                saved -= finding.gradients
                going &= worst - finding.dic >= 0.001
                # what an image was moved by an earlier part still counts when it has stopped
                refined |= finding.gradients > 0
                assert (finding.moved[refined] > 0.9).all()
            worst = torch.minimum(worst, finding.dic)
        assert attack != "refined" or not (going & (saved >= part) & (worst > 0)).any()
    assert lengths == {0, 3, 6, 12}


def test_gradients_are_counted_for_each_image_and_none_is_spent_on_one_that_is_at_zero() -> None:
    network = make_network()
    pictures, label = make_data(network)
    label[1] = 1 - label[1]  # its DIC is 0 from the start
    total = torch.zeros(3, dtype=torch.long)
    calls: list[int] = []
    attacked = AttackedNetwork(network, on_gradient=lambda: calls.append(1))
    for finding in Battery(SMALL)(attacked, pictures, label):
        total += finding.gradients
    assert Battery(SMALL).gradients(Softmax()) == 2 * (8 + 5) + num_gradients([2.0, 8.0])
    # at least one part of 2 at each ε
    refined = total[[0, 2]] - num_gradients([2.0, 8.0]) - 2 * 8
    assert ((refined >= 2 * 2) & (refined <= 2 * 5)).all()
    assert total[1] == num_gradients([2.0, 8.0])  # its intensities share their steps, and run together
    assert len(calls) >= total.max()


def test_more_than_two_classes_are_attacked_by_what_is_defined_for_them() -> None:
    findings, *_ = run(Battery(SMALL), channels=3)
    assert {finding.attack for finding in findings} == {"noise", "dice", "grow", "square", "refined"}


def test_another_search_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "adam", Recipe("soft Dice with Adam's steps", SoftDice(), search=ProjectedAdam))
    findings, attacked, _, label = run(Battery(Budget((8.0,), {"adam": 4, "dice": 4}, 2, 2, 0)))
    by = {finding.attack: finding for finding in findings}
    assert (by["adam"].dic < dic(attacked, by["noise"], label)).all() and (by["adam"].gradients <= 4).all()
    assert not torch.equal(by["adam"].picture, by["dice"].picture)


def test_what_is_not_defined_for_more_classes_is_named() -> None:
    battery = Battery(BUDGETS["quick"])
    assert battery.undefined(Softmax(2)) == battery.undefined(Sigmoid(3)) == []
    assert battery.undefined(Softmax(3)) == ["paper"]
    assert Battery(BUDGETS["standard"]).undefined(Softmax(3)) == ["paper", "inversion"]


@pytest.mark.parametrize(
    ("steps", "surrogate", "channels"),
    [({"inversion": 2}, False, 3), ({"inversion": 2}, True, 3), ({}, False, 2), ({}, True, 2)],
)
def test_a_budget_that_leaves_no_attack_is_refused(steps: dict[str, int], surrogate: bool, channels: int) -> None:
    other = make_network(5, channels).double() if surrogate else None
    with pytest.raises(InputError) as raised:
        run(Battery(Budget((8.0,), steps, 2, 2, 5), surrogate=other), channels)
    assert str(raised.value) == (
        f"Budget: steps: of {list(steps)} no attack is left for a network of {Softmax(channels)!r}; name a loss that "
        "is defined for it, such as 'dice'."
    )


def test_a_surrogate_is_tried() -> None:
    findings, *_ = run(Battery(SMALL, surrogate=make_network(5).double()))
    assert "transfer" in {finding.attack for finding in findings}


def test_an_unknown_budget_is_refused() -> None:
    with pytest.raises(InputError, match="budget: there is no 'huge'; name one of quick, standard, full"):
        budget_epsilons("huge")
