# SPDX-License-Identifier: Apache-2.0
"""Does the network read the mask off the attack?"""

from __future__ import annotations

from dataclasses import dataclass

from ..scores import CLEAN, MOVED, PAPER, attack_names
from .check import CheckResult
from .evidence import Evidence
from .probe import CROSS_ENTROPY, SOFT_DICE, descend, dic_of, lowest_dic, without_gradients

__all__ = ["LabelLeaking"]

STEPS = 6
# of a random network
DRAWS = 4
# what an attack may take of what another one takes, and still take nothing
NOTHING = 0.05
CLEARLY = 0.05
# clean DIC of a network without anything to lose, where no floor says it
USELESS = 0.3
# attacks of one direction may honestly take nothing
DIRECTED = ("shrink", "grow")


@dataclass(frozen=True, order=True)
class _Alarm:
    gap: float = 0.0
    attack: str = ""
    epsilon: float = 0.0
    left: float = 0.0
    clean: float = 0.0


class LabelLeaking:
    """No attack by gradients takes nothing at an ε where another one takes .05 of DIC more.

    A network that was trained against one loss reads the true mask off that loss's perturbations: DIC stays at the
    clean one or rises above it, while a loss of another direction or coupling takes everything. That attacks differ is
    no fault in itself: on honest networks the weakest took from a fifth to a half of what the worst took. So the alarm
    is an attack that takes less than a twentieth, or makes the mask better. It is looked for in the table of scores,
    without the attacks of one direction, and with 6 steps each of cross-entropy away from the mask and soft Dice at the
    largest ε, its half and its quarter, of which the *last* pictures count: a table may hold the best ones, which are
    never above the clean picture. So is cross-entropy towards the inverse mask (two classes) where the table has not
    the paper's attack, which is shown as it is, and on all images: on a few, an attack may take next to nothing by
    chance. The value is the largest distance of two attacks where there is an alarm,
    0 where there is none. Figures in the table of a random network
    are single draws, too loose for this: only its last pictures count, each as the mean of 4 draws. A network that has
    learned nothing, which is below the floor on clean pictures, has nothing to leak.

    Example:
        >>> LabelLeaking()(evidence).status
        'passed'
    """

    name = "no label leaking"

    def __call__(self, evidence: Evidence) -> CheckResult:
        clean = _clean(evidence)
        if clean < (USELESS if evidence.floor is None else evidence.floor):
            return CheckResult(
                self.name, "not applicable", clean, f"The network has learned nothing (clean DIC {clean:.3f})."
            )
        random = evidence.is_random
        alarms = _probed(evidence, DRAWS) if random else [*_in_table(evidence, clean), *_probed(evidence)]
        if not alarms:
            return CheckResult(
                self.name, "passed", 0.0, "No attack takes nothing from DIC where another one takes 0.05 or more."
            )
        alarm = max(alarms)
        return CheckResult(
            self.name,
            "failed",
            alarm.gap,
            f"At ε = {alarm.epsilon:g} {alarm.attack} leaves DIC {alarm.left:.3f} (clean {alarm.clean:.3f}), where "
            f"another attack is {alarm.gap:.3f} lower: the network reads the mask off perturbations that it knows, and "
            "only attacks of other losses say how robust it is.",
        )


def _clean(evidence: Evidence) -> float:
    scores = evidence.scores
    return float(scores.loc[scores["attack"] == CLEAN, "DIC"].mean())


def _in_table(evidence: Evidence, clean: float) -> list[_Alarm]:
    scores = evidence.scores
    lowest = lowest_dic(evidence)
    names = [name for name in attack_names(scores) if not (without_gradients(name) or name.lower() in DIRECTED)]
    cells = scores[scores["attack"].isin(names)].groupby(["epsilon", "attack"])
    # an attack that does not move takes nothing for another reason
    means = cells["DIC"].mean()[cells["moved"].max() >= MOVED]
    return [
        _Alarm(left - lowest[epsilon], attack, epsilon, left, clean)
        for (epsilon, attack), left in means.items()
        if _leaks(left, lowest[epsilon], clean)
    ]


def _probed(evidence: Evidence, draws: int = 1) -> list[_Alarm]:
    attacked, picture, label = evidence.attacked, evidence.picture, evidence.label
    clean = dic_of(attacked, picture, label, draws).mean().item()
    # the table's figures of a random network, whose draws are more than one, are too loose
    inverse = attacked.classes.labels == 1 and (draws > 1 or PAPER not in set(evidence.scores["attack"]))
    alarms = []
    for epsilon in (evidence.epsilons[-1] / 4, evidence.epsilons[-1] / 2, evidence.epsilons[-1]):
        last = {
            "cross-entropy away from the mask": descend(attacked, picture, label, epsilon, CROSS_ENTROPY, STEPS),
            "soft Dice": descend(attacked, picture, label, epsilon, SOFT_DICE, STEPS),
        }
        if inverse:
            last["cross-entropy towards the inverse mask"] = descend(
                attacked, picture, label, epsilon, CROSS_ENTROPY, STEPS, towards=1 - label
            )
        left = {name: dic_of(attacked, pictures, label, draws).mean().item() for name, pictures in last.items()}
        lowest = min(left.values())
        alarms += [
            _Alarm(dic - lowest, name, epsilon, dic, clean) for name, dic in left.items() if _leaks(dic, lowest, clean)
        ]
    return alarms


def _leaks(left: float, lowest: float, clean: float) -> bool:
    return left - lowest >= CLEARLY and clean - left <= NOTHING * (clean - lowest)
