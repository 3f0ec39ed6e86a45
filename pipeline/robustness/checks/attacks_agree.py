# SPDX-License-Identifier: Apache-2.0
"""Is there an attack that the network withstands where another one breaks it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..scores import CLEAN, MOVED, PAPER, attack_names, worst_case
from .check import CheckResult
from .evidence import Evidence
from .probe import CROSS_ENTROPY, SOFT_DICE, Loss, descend, dic_of, lowest_dic
from .table_attacks import adds_only, by_gradient, takes_only

__all__ = ["AttacksAgree"]

STEPS = 6
# of a random network
DRAWS = 4
CLEARLY = 0.05
# what an attack may take of what another one takes, and still take nothing: the paper's took 1 to 4 % at ε = 8 of most
# networks that were trained against it alone, 7 % of one of them, as of a small honest one
NOTHING = 0.05
# of what the worst case takes at larger ε: at 32 it took 5 to 13 % of these, 15 % or more of nearly all honest ones
LITTLE = 1 / 7
# clean DIC of a network without anything to lose, where no floor says it
USELESS = 0.3


@dataclass(frozen=True)
class _Alarm:
    """An attack that takes nothing at an ε, how much lower another one is there, and the most that it takes beyond."""

    attack: str
    epsilon: float
    clean: float
    left: float
    gap: float
    beyond: float | None


@dataclass(frozen=True)
class _Figures:
    """Mean DIC of the same images: clean, and at each ε what each attack leaves, the lowest of that, and the worst."""

    clean: float
    left: Mapping[str, Mapping[float, float]]
    lowest: Mapping[float, float]
    worst: Mapping[float, float]

    def alarms(self) -> list[_Alarm]:
        each = (self._alarm(attack, epsilon) for attack, curve in self.left.items() for epsilon in curve)
        return [alarm for alarm in each if alarm is not None]

    def _alarm(self, attack: str, epsilon: float) -> _Alarm | None:
        curve = self.left[attack]
        gap = curve[epsilon] - self.lowest[epsilon]
        beyond = max((self._share(curve[each], self.worst[each]) for each in curve if each > epsilon), default=None)
        if gap < CLEARLY or (beyond is not None and beyond >= LITTLE):
            return None
        if self._share(curve[epsilon], self.lowest[epsilon]) > NOTHING:
            return None
        return _Alarm(attack, epsilon, self.clean, curve[epsilon], gap, beyond)

    def _share(self, left: float, lowest: float) -> float:
        """What an attack takes of what the lowest takes; all of it where that is nothing."""
        return (self.clean - left) / (self.clean - lowest) if lowest < self.clean else 1.0


class AttacksAgree:
    """No attack by gradients takes nothing where another one takes .05 of DIC more, and little at all larger ε.

    A network that was trained against one attack withstands that attack, whether it reads the true mask off the
    perturbation (label leaking) or has become robust in this direction alone. The check does not tell which: DIC stays
    at the clean one or rises, while a loss of another direction or coupling takes everything. That attacks differ is no
    fault in itself, nor that one takes nothing at a small ε: it may trim what a network draws too much, or be slow on a
    small organ. So the alarm is an attack that takes less than a twentieth of what the lowest takes, or makes the mask
    better, and at every larger ε less than a seventh of what the worst case takes. At the largest ε none
    confirms it.

    It is looked for in the table of scores, without the attacks of one direction, and with 6 steps each of
    cross-entropy away from the mask and soft Dice at the largest ε, its half and its quarter, of which the *last*
    pictures count: a table may hold the best ones, which are never above the clean picture. So is cross-entropy towards
    the inverse mask (two classes) where the table has not the paper's attack, which is shown as it is, and on all
    images: on a few, an attack may take next to nothing by chance. The value is the largest distance of two attacks
    where there is an alarm, 0 where there is none. Figures in the table of a random network are single draws, too loose
    for this: only its last pictures count, each as the mean of 4 draws. A network that has learned nothing, which is
    below the floor on clean pictures, is not judged.

    Example:
        >>> AttacksAgree()(evidence).status
        'passed'
    """

    name = "attacks agree"

    def __call__(self, evidence: Evidence) -> CheckResult:
        scores = evidence.scores
        clean = float(scores.loc[scores["attack"] == CLEAN, "DIC"].mean())
        floor = evidence.mean_floor(scores["image"].unique())
        if clean < (USELESS if floor is None else floor):
            return CheckResult(
                self.name, "not applicable", clean, f"The network has learned nothing (clean DIC {clean:.3f})."
            )
        probed = _probed(evidence, DRAWS if evidence.is_random else 1)
        looked_at = [probed] if evidence.is_random else [_in_table(evidence, clean), probed]
        alarms = [alarm for figures in looked_at for alarm in figures.alarms()]
        if not alarms:
            return CheckResult(
                self.name,
                "passed",
                0.0,
                "No attack takes nothing from DIC where another one takes 0.05 or more, and little at all larger ε.",
            )
        alarm = max(alarms, key=lambda each: each.gap)
        beyond = (
            "no larger ε was tried"
            if alarm.beyond is None
            else f"at larger ε it takes {max(alarm.beyond, 0):.0%} of what the worst takes at most"
        )
        return CheckResult(
            self.name,
            "failed",
            alarm.gap,
            f"At ε = {alarm.epsilon:g} {alarm.attack} leaves DIC {alarm.left:.3f} (clean {alarm.clean:.3f}), where "
            f"another attack is {alarm.gap:.3f} lower, and {beyond}: the network withstands this attack and not "
            "others, and only those say how robust it is.",
        )


def _in_table(evidence: Evidence, clean: float) -> _Figures:
    scores = evidence.scores
    names = [name for name in attack_names(scores) if by_gradient(name) and not (takes_only(name) or adds_only(name))]
    cells = scores[scores["attack"].isin(names)].groupby(["attack", "epsilon"])
    # an attack that does not move takes nothing for another reason
    means = cells["DIC"].mean()[cells["moved"].max() >= MOVED]
    left: dict[str, dict[float, float]] = {}
    for (attack, epsilon), dic in means.items():
        left.setdefault(attack, {})[epsilon] = dic
    worst = worst_case(scores).groupby("epsilon")["DIC"].mean()
    return _Figures(clean, left, lowest_dic(evidence).to_dict(), worst.to_dict())


def _probed(evidence: Evidence, draws: int) -> _Figures:
    attacked, picture, label = evidence.attacked, evidence.picture, evidence.label
    ways: dict[str, tuple[Loss, torch.Tensor | None]] = {
        "cross-entropy away from the mask": (CROSS_ENTROPY, None),
        "soft Dice": (SOFT_DICE, None),
    }
    # the table's figures of a random network, whose draws are more than one, are too loose
    if attacked.classes.labels == 1 and (draws > 1 or PAPER not in set(evidence.scores["attack"])):
        ways["cross-entropy towards the inverse mask"] = (CROSS_ENTROPY, 1 - label)
    epsilons = [evidence.epsilons[-1] / part for part in (4, 2, 1)]

    def left_by(epsilon: float, loss: Loss, towards: torch.Tensor | None) -> float:
        last = descend(attacked, picture, label, epsilon, loss, STEPS, towards=towards)
        return dic_of(attacked, last, label, draws).mean().item()

    left = {name: {epsilon: left_by(epsilon, *way) for epsilon in epsilons} for name, way in ways.items()}
    lowest = {epsilon: min(curve[epsilon] for curve in left.values()) for epsilon in epsilons}
    return _Figures(dic_of(attacked, picture, label, draws).mean().item(), left, lowest, lowest)
