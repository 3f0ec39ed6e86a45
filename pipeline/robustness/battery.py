# SPDX-License-Identifier: Apache-2.0
"""The battery: many attacks on a batch of pictures at rising ε, each going on from what it found before."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from pipeline.attacks import (
    Attack,
    AttackedNetwork,
    ContinuingAttack,
    GradientAttack,
    IterativeFGSM,
    OutputClasses,
    Slope,
    Square,
    Transfer,
    UniformNoise,
    WorstFound,
)
from pipeline.attacks.grey_levels import project
from pipeline.utils import InputError

from .budgets import Budget
from .recipes import RECIPES
from .scores import NOISE, PAPER, REFINED

__all__ = ["VALUE_RANGE", "Battery", "Finding"]

VALUE_RANGE = (0.0, 255.0)
# parts of a refinement at one ε: how many times as long as the first, and their first step as a part of ε. A short part
# must stay near the point that it starts from; a long one has the time to leave it and to settle elsewhere
_PARTS = ((1, 0.4), (2, 0.7), (4, 0.7))
# so many losses, those that harmed an image most, take turns in it
_LOSSES = 2
# a part that lowers an image's DIC by less is its last at this ε; reports have three digits
_WORTH = 0.001
# grey levels; less is no step but rounding
_STEP = 0.01


@dataclass(frozen=True)
class Finding:
    """What an attack has found at an ε.

    Attributes:
        attack, epsilon: which.
        picture: the worst pictures (B, C, *spatial) in grey levels that it found at this ε or a smaller one; the noise
            and the paper's attack are shown as they are: their pictures at this ε, even if these raise DIC.
        prediction: what the network predicts for them.
        dic: their DIC, (B,).
        moved: the most that it tried to move a grey level of each image, as a part of ε, (B,); all of its start
            where the first gradient keeps each grey level there; NaN of an image on which the refinement had nothing
            to spend.
        gradients: how many gradients it has computed for each image at this ε, (B,).
        not_finite: how many of them had numbers that are not finite, which then pull nowhere, (B,).
    """

    attack: str
    epsilon: float
    picture: torch.Tensor
    prediction: torch.Tensor
    dic: torch.Tensor
    moved: torch.Tensor
    gradients: torch.Tensor
    not_finite: torch.Tensor


class _Spent:
    """What an attack costs each image of a batch, and how far it has moved its grey levels."""

    def __init__(self, picture: torch.Tensor, on_gradient: Callable[[], object] | None) -> None:
        self._picture = picture
        self._on_gradient = on_gradient
        self.begin()

    def begin(self) -> None:
        """Count anew, for all images."""
        self.watch(torch.arange(len(self._picture)))
        self.gradients = torch.zeros(len(self._picture), dtype=torch.long)
        self.not_finite = torch.zeros_like(self.gradients)
        self.moved = torch.zeros(len(self._picture), dtype=self._picture.dtype)

    def watch(self, images: torch.Tensor) -> None:
        """Count what an attack on these images alone does."""
        self.active = images
        self._begins: torch.Tensor | None = None
        self._looked = self._asked = False

    def on_gradient(self) -> None:
        self.gradients[self.active] += 1
        if not self._looked:  # where it begins is what it looks at now, not the clean pictures that it has scored
            self._looked, self._begins = True, None
        if self._on_gradient is not None:
            self._on_gradient()

    def on_slope(self, slope: Slope) -> None:
        """Count gradients that are not finite; the first tells whether an attack must stay where it begins."""
        self.not_finite[self.active] += (slope.lost > 0).cpu()
        if self._begins is not None and not self._asked:
            self._asked = True
            self._move(_held(self._begins, self._picture[self.active], slope.gradient))

    def on_pictures(self, pictures: torch.Tensor) -> None:
        """Look at what an attack tries; where it begins, at random or with what was found before, is no step of it."""
        if len(self.active) == len(pictures):
            pictures = pictures.detach()
            if self._begins is None:
                self._begins = pictures
            moved, left = (
                (pictures - each).flatten(1).abs().amax(1).cpu() for each in (self._picture[self.active], self._begins)
            )
            self._move(torch.where(left > _STEP, moved, 0))

    def _move(self, by: torch.Tensor) -> None:
        self.moved[self.active] = torch.maximum(self.moved[self.active], by)


def _held(pictures: torch.Tensor, clean: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """How far pictures are from the clean ones, (B,), if no step along their gradients leads away from there; else 0.

    Whether an attack goes up or down is its own affair: a step either way must be cut off at every grey level.
    """
    delta = pictures - clean
    far = delta.flatten(1).abs().amax(1)
    reach = far.view(-1, *[1] * (delta.ndim - 1))
    up, down = (
        (project(delta + step, clean, reach, VALUE_RANGE) - delta).flatten(1).abs().amax(1) <= _STEP
        for step in (reach * gradient.sign(), -reach * gradient.sign())
    )
    return torch.where((up | down) & (gradient != 0).flatten(1).any(1), far, 0).cpu()


class Battery:
    """Attack pictures with everything that a budget holds, and go on from the worst.

    For each ε, from the smallest to the largest, every attack runs by itself: it starts from the worst picture that it
    found at the last ε, stretched to this one, and stops for an image whose DIC is 0. Then the worst picture of all of
    them is refined with the losses that did most harm to this very image, for as long as it helps; what is saved where
    it does not is spent at a larger ε. So nothing that was found is lost, and nothing is searched twice. No image's
    result depends on the others of its batch.

    Args:
        budget: see :class:`Budget`.
        surrogate: another network for the same task, whose adversarial pictures are tried too; None for none.
        seed: of the random starts.

    Example:
        >>> found = list(Battery(Budget((8.0,), {"dice": 4}, 2, 2, 2))(attacked, picture, label))
        >>> [each.attack for each in found]
        ['noise', 'paper', 'dice', 'square', 'refined']
    """

    def __init__(self, budget: Budget, surrogate: nn.Module | None = None, seed: int = 0) -> None:
        self.budget = budget
        self.surrogate = surrogate
        self.seed = seed

    def attacks(self, classes: OutputClasses) -> dict[str, ContinuingAttack]:
        """Return the attacks that go on, by name; those defined for two classes only are left out for more.

        Raises:
            InputError: if none by gradients is left, from which the refinement goes on.
        """
        found: dict[str, ContinuingAttack] = {}
        undefined = self.undefined(classes)
        for name, steps in self.budget.steps.items():
            if name not in undefined:
                found[name] = self._by_gradient(name, steps)
        if not found:
            raise InputError(
                f"Budget: steps: of {list(self.budget.steps)} no attack is left for a network of {classes!r}; name a "
                "loss that is defined for it, such as 'dice'."
            )
        if self.budget.queries:
            found["square"] = Square(self.budget.queries, seed=self.seed)
        if self.surrogate is not None:
            steps = self.budget.steps.get("dice", max(self.budget.steps.values()))
            found["transfer"] = Transfer(self.surrogate, self._by_gradient("dice", steps))
        return found

    def undefined(self, classes: OutputClasses) -> list[str]:
        """Return the attacks that are defined for two classes only, and left out for these."""
        if classes.labels == 1:
            return []
        return [PAPER, *(name for name in self.budget.steps if RECIPES[name].target is not None)]

    def _by_gradient(self, name: str, steps: int, first_step: float = 1.0) -> GradientAttack:
        return RECIPES[name].attack(steps, relative_step=first_step, seed=self.seed)

    def gradients(self, classes: OutputClasses) -> int:
        """Return how many gradients it computes for an image at most."""
        epsilons = self.budget.epsilons
        each = sum(
            attack.gradients(epsilons) for attack in [*self.attacks(classes).values(), *_at_once(classes).values()]
        )
        return each + len(epsilons) * self.budget.refinement

    def __call__(self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor) -> Iterator[Finding]:
        """Yield what each attack finds at each ε, the smallest first; at each the noise first and ``refined`` last.

        Args:
            attacked: the network.
            picture: clean pictures (B, C, *spatial) in grey levels of 0 to 255.
            label: their masks.

        Raises:
            InputError: see ``AttackedNetwork``.
        """
        run = _Run(attacked, picture, label)
        attacks = self.attacks(attacked.classes)
        at_once = {NOISE: UniformNoise(self.seed), **_at_once(attacked.classes)}
        shared = {name: run.at_all(name, attack, self.budget.epsilons) for name, attack in at_once.items()}
        by_gradient = [name for name in self.budget.steps if name in attacks]
        refining = [
            {name: self._by_gradient(name, times * self.budget.refinement_part, step) for name in by_gradient}
            for times, step in _PARTS
        ]
        last = self.budget.epsilons[0]
        for epsilon in self.budget.epsilons:
            for findings in shared.values():
                yield run.keep(findings[epsilon])
            for name, attack in attacks.items():
                yield run.keep(run.at(name, attack, epsilon, last))
            yield from run.refined(refining, epsilon, self.budget.refinement)
            last = epsilon


def _at_once(classes: OutputClasses) -> dict[str, Attack]:
    """The paper's attack, whose intensities share their steps; it is defined for two classes only."""
    return {PAPER: IterativeFGSM()} if classes.labels == 1 else {}


class _Run:
    """The battery on one batch: what each attack has found so far, and all of them together."""

    def __init__(self, attacked: AttackedNetwork, picture: torch.Tensor, label: torch.Tensor) -> None:
        self.spent = _Spent(picture, attacked.on_gradient)
        self.attacked = attacked.like(attacked.network)
        self.attacked.on_gradient, self.attacked.on_pictures = self.spent.on_gradient, self.spent.on_pictures
        self.attacked.on_slope = self.spent.on_slope
        self.picture = picture
        self.label = label
        self.clean = WorstFound(self.attacked, picture, label)
        self.worst = self.clean.copy()
        self.own: dict[str, WorstFound] = {}
        self.saved = torch.zeros(len(picture), dtype=torch.long)

    def keep(self, finding: Finding) -> Finding:
        """Count what was found towards the worst of all."""
        self.worst.offer(finding.picture, finding.prediction)
        return finding

    def at_all(self, name: str, attack: Attack, epsilons: Sequence[float]) -> dict[float, Finding]:
        """Run an attack whose intensities share their steps, as it is; its cost is counted at the largest ε."""
        self.spent.begin()
        found = attack(self.attacked, self.picture, self.label, epsilons)
        spent = self.spent.gradients.clone(), self.spent.not_finite.clone()
        findings = {}
        for epsilon in epsilons:
            moved = (found[epsilon] - self.picture).flatten(1).abs().amax(1).cpu() / epsilon
            prediction = self.attacked.predict(found[epsilon], self.label)
            dic = self.attacked.scores(prediction, self.label)[:, 0]
            cost = spent if epsilon == epsilons[-1] else [0 * each for each in spent]
            findings[epsilon] = Finding(name, epsilon, found[epsilon], prediction, dic, moved.clamp(max=1), *cost)
        return findings

    def at(self, name: str, attack: ContinuingAttack, epsilon: float, last: float) -> Finding:
        """Run an attack at one ε, from what it found at the last, on the images whose DIC is not yet 0."""
        own = self.own.setdefault(name, self.clean.copy())
        self.spent.begin()
        self._attack(attack, own, epsilon, last, (own.dic > 0).nonzero().flatten())
        return self._finding(name, epsilon, own)

    def refined(
        self, attacks: Sequence[Mapping[str, GradientAttack]], epsilon: float, granted: int
    ) -> Iterator[Finding]:
        """Go on from the worst of all, in parts, each image with the losses that are most harmful to it in turns.

        Args:
            attacks: of each length, the shortest first, by the name of the loss.
            epsilon: the intensity.
            granted: how many gradients each image may spend, beside those that it has saved.
        """
        names = list(attacks[0])
        order = torch.stack([self.own[name].dic for name in names]).argsort(dim=0, stable=True)[:_LOSSES].cpu()
        self.saved += granted
        going = torch.ones(len(self.saved), dtype=torch.bool)
        moved = torch.full_like(self.spent.moved, torch.nan)
        for part in itertools.count():
            before = self.worst.dic.cpu()
            left = going & (before > 0)
            chosen = [
                (attack, left & (order[part % len(order)] == index))
                for index, name in enumerate(names)
                for attack in [each[name] for each in attacks[: part + 1]][::-1]
            ]
            finding = self._refined_once(chosen, epsilon)
            # an image that has stopped was moved by an earlier part
            moved = torch.where(finding.gradients > 0, torch.fmax(moved, finding.moved), moved)
            yield self.keep(replace(finding, moved=moved.clone()))
            after = self.worst.dic.cpu()
            going &= (before - after >= _WORTH) & (after > 0)
            if not (going & (self.saved >= attacks[0][names[0]].iterations)).any():
                return

    def _refined_once(self, chosen: Sequence[tuple[GradientAttack, torch.Tensor]], epsilon: float) -> Finding:
        """Refine each image with the first of the attacks chosen for it that its gradients suffice for."""
        found = self.worst.copy()
        self.spent.begin()
        for attack, images in chosen:
            affordable = images & (self.spent.gradients == 0) & (self.saved >= attack.iterations)
            self._attack(attack, found, epsilon, epsilon, affordable.nonzero().flatten().to(self.picture.device))
        self.saved -= self.spent.gradients
        return self._finding(REFINED, epsilon, found)

    def _attack(
        self,
        attack: ContinuingAttack,
        found: WorstFound,
        epsilon: float,
        last: float,
        chosen: torch.Tensor,
    ) -> None:
        """Attack the chosen images from what was found at the last ε, stretched to this one."""
        if not len(chosen):
            return
        picture, label = self.picture[chosen], self.label[chosen]
        delta = project((found.picture[chosen] - picture) * (epsilon / last), picture, epsilon, VALUE_RANGE)
        self.spent.watch(chosen.cpu())
        moved = attack(self.attacked, picture, label, [epsilon], start=picture + delta)[epsilon]
        self.spent.watch(torch.arange(0))
        prediction = self.attacked.predict(moved, label)
        found.offer(found.picture.index_copy(0, chosen, moved), found.prediction.index_copy(0, chosen, prediction))

    def _finding(self, name: str, epsilon: float, found: WorstFound) -> Finding:
        spent, moved = self.spent, (self.spent.moved / epsilon).clamp(max=1)
        cost = spent.gradients.clone(), spent.not_finite.clone()
        return Finding(name, epsilon, found.picture, found.prediction, found.dic, moved, *cost)
