# SPDX-License-Identifier: Apache-2.0
"""What a reader must know first, as sentences with numbers, worst first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pipeline.robustness.assessment import MEASURED
from pipeline.robustness.checks.attacks_agree import AttacksAgree
from pipeline.robustness.checks.finite_differences import FiniteDifferences
from pipeline.robustness.checks.forward_passes import ForwardPasses
from pipeline.robustness.checks.gradient_mode import GradientMode
from pipeline.robustness.checks.zero_gradients import ZeroGradients
from pipeline.robustness.recipes import RECIPES
from pipeline.robustness.scores import NOISE, PAPER

from .words import a_few, given, interval, noun, wanted

__all__ = ["findings"]

Report = Mapping[str, Any]

PAPERS = f"the attack of He et al. ('{PAPER}')"
SAME = 0.95  # a mean DIC between the masks of different pictures, from which on they are almost the same
NEAR_FLOOR = 0.02  # of DIC
NOTHING_LEARNED = 0.1  # a clean DIC below it, where there is no floor
RISE = 0.002  # of DIC above the clean one, which rounding does not make
ONE_LOSS = 0.1  # of DIC between a single attack and the worst case
ONE_CLASS = 0.1  # of DIC that a class loses more than the mean over classes
LAST_PART, STILL_FALLING = 0.25, 0.01  # of the gradients, and of DIC in it
NOISE_HARM = 0.1  # of DIC
FILLED = 0.5  # of the range of intensities, below which the pictures hardly fill it
LARGE, FLAT = 8.0, 0.01  # an ε from which on a network that loses less DIC is not believed
# checks whose failure explains attacks that take nothing
BROKEN_GRADIENTS = {check.name for check in (ForwardPasses, GradientMode, ZeroGradients, FiniteDifferences)}
# less is no difference of figures that are printed with three digits
SEEN = 0.0005


def findings(report: Report) -> list[str]:
    """Return what was found as sentences with numbers, what casts doubt on the figures first.

    Args:
        report: the content of ``report.json``, without ``findings``.

    Example:
        >>> first, *others = findings(make_report(assessment))
    """
    # the order is that of importance
    parts = (
        _withstood,
        _raised,
        _ignores_the_picture,
        _other_failed_checks,
        _not_finite,
        _above_the_ceiling,
        _learned_nothing,
        _too_wide,
        _flat,
        _one_loss,
        _one_class,
        _below_the_floor,
        _failed_criteria,
        _noise_alone,
        _corruptions,
        _more_gradients,
        _range,
        _worst_case,
        _left_out,
    )
    return [sentence for part in parts for sentence in part(report)]


def _withstood(report: Report) -> Iterator[str]:
    """An attack that takes nothing where another takes much; gradients that do not work explain it, and come before."""
    failed = _failed(report)
    withstood = [check for check in failed if check["name"] == AttacksAgree.name]
    if withstood:
        yield from map(_told, [check for check in failed if check["name"] in BROKEN_GRADIENTS])
        yield from map(_told, withstood)


def _other_failed_checks(report: Report) -> Iterator[str]:
    failed = _failed(report)
    withstood = any(check["name"] == AttacksAgree.name for check in failed)
    said = {AttacksAgree.name, *BROKEN_GRADIENTS} if withstood else set()
    yield from map(_told, [check for check in failed if check["name"] not in said])


def _not_finite(report: Report) -> Iterator[str]:
    count = report["facts"].get("not_finite_images", 0)
    if count:
        yield (
            f"On {count} of {noun(report['images'], 'image')} some gradients of the attacks were not finite numbers; "
            "there nothing pulled, so that the worst case of these images may be lower. Find what overflows in the "
            "network."
        )


def _failed(report: Report) -> list[Mapping[str, Any]]:
    return [check for check in report["checks"] if check["status"] == "failed"]


def _told(check: Mapping[str, Any]) -> str:
    value = "" if check["value"] is None else f" ({check['value']:.3g})"
    return f"The check '{check['name']}' failed{value}: {check['meaning']}"


def _raised(report: Report) -> Iterator[str]:
    """An attack that helps, as the figures show it, where no check was asked, or none could be applied."""
    if any(check["name"] == AttacksAgree.name and check["status"] != "not applicable" for check in report["checks"]):
        return
    clean = report["clean"]["DIC"]
    higher = [
        (cell["DIC"], name, epsilon)
        for name, cells in _attacks(report).items()
        for epsilon, cell in cells.items()
        if cell["images"] == report["images"] and cell["DIC"] > clean + RISE
    ]
    if higher:
        dic, name, epsilon = max(higher)
        yield (
            f"The attack '{name}' raises DIC from {clean:.3f} on the clean pictures to {dic:.3f} at ε = {epsilon}: "
            "either the network was trained against it, or draws too much, which it trims, or the attack does not "
            "work; its curve says nothing about robustness."
        )


def _ignores_the_picture(report: Report) -> Iterator[str]:
    same, masks = report["sameness"], report["mask_sameness"]
    clean, floor = report["clean"]["DIC"], _floor(report)
    near = floor is not None and abs(clean - floor) <= NEAR_FLOOR
    beside = "" if floor is None else f"; its clean DIC is {clean:.3f}, that of the best constant mask {floor:.3f}"
    # where the true masks are alike, masks that are right are alike, too
    if same is not None and same >= SAME and (masks is None or 1 - same < (1 - masks) / 2):
        beside = ("" if masks is None else f", between their true masks {masks:.3f}") + beside
        yield (
            "The network predicts almost the same mask for every picture: the mean DIC between different pictures' "
            f"masks is {same:.3f}{beside}. A flat curve then shows that it ignores the picture, not that it is robust."
        )
    elif near:
        told = "" if same is None else f" The mean DIC between its masks for different pictures is {same:.3f}."
        yield (
            "The network is no better than one that predicts almost the same mask for every picture: its clean DIC is "
            f"{clean:.3f}, that of the best constant mask {floor:.3f}.{told} A flat curve then says nothing about "
            "robustness."
        )


def _flat(report: Report) -> Iterator[str]:
    """A network that loses nothing: no network that we know does, unless it ignores the picture."""
    epsilon, worst = list(report["worst_case"].items())[-1]
    clean = report["clean"]["DIC"]
    if float(epsilon) >= LARGE and clean - worst["DIC"] < FLAT and clean >= NOTHING_LEARNED:
        yield (
            f"Nothing that was tried takes more than {max(clean - worst['DIC'], 0):.3f} from DIC, not even at "
            f"ε = {epsilon}: either the attacks do not reach the network, or it knows these pictures, or it ignores "
            "them. Do not take this for robustness."
        )


def _above_the_ceiling(report: Report) -> Iterator[str]:
    for epsilon, worst in report["worst_case"].items():
        ceiling = report["ceiling"][epsilon]
        if ceiling is not None and worst["DIC"] > ceiling:
            yield (
                f"At ε = {epsilon} the worst case, DIC {worst['DIC']:.3f}, is above {ceiling:.3f}, which no network "
                "can exceed by our estimate: the attacks are too weak, or the estimate is too low."
            )
            return


def _learned_nothing(report: Report) -> Iterator[str]:
    clean, floor = report["clean"]["DIC"], _floor(report)
    if floor is not None and clean < floor - NEAR_FLOOR:
        yield (
            f"The network has learned nothing that helps: its clean DIC is {clean:.3f}, below the {floor:.3f} of the "
            "best constant mask. Its curve says nothing about robustness."
        )
    elif floor is None and clean < NOTHING_LEARNED:
        yield f"The network has learned nothing: its clean DIC is {clean:.3f}. Its curve says nothing about robustness."


def _too_wide(report: Report) -> Iterator[str]:
    """A range that the pictures hardly fill, of which an ε is much more than it seems."""
    facts = report["facts"]
    stated, measured = facts.get("intensity_range"), facts.get("measured_range")
    if measured is None:
        return
    share = (measured[1] - measured[0]) / (stated[1] - stated[0])
    if share < FILLED:
        yield (
            f"The pictures' values, {given(measured)}, fill only {100 * share:.2g} % of the range of intensities, "
            f"{given(stated)}, of which ε counts 255th parts: for these pictures each ε is far larger than its number "
            "says. State the range that pictures of this kind have, unless this is it."
        )


def _one_loss(report: Report) -> Iterator[str]:
    """The paper's attack against the worst case; where it was not run, or is near, the best attack by gradients."""
    for names, told in (
        ([PAPER], f"{PAPERS} alone"),
        (RECIPES, "the best single attack by gradients, '{}',"),
    ):
        gap, epsilon, name, dic = _largest_gap(names, report)
        if gap >= ONE_LOSS:
            yield (
                f"One attack is not enough: at ε = {epsilon} {told.format(name)} reads DIC {dic:.3f} where the worst "
                f"case is {report['worst_case'][epsilon]['DIC']:.3f}."
            )
            return


def _largest_gap(names: Collection[str], report: Report) -> tuple[float, str, str, float]:
    """How far the best of these attacks stays above the worst case where this is most, that ε, its name and its DIC."""
    attacks = {name: cells for name, cells in report["attacks"].items() if name in names}
    gaps = [(0.0, "", "", 1.0)]
    for epsilon, worst in report["worst_case"].items():
        cells = {name: cells[epsilon] for name, cells in attacks.items() if epsilon in cells}
        alone = [(cell["DIC"], name) for name, cell in cells.items() if cell["images"] == report["images"]]
        if alone:
            dic, name = min(alone)
            gaps.append((dic - worst["DIC"], epsilon, name, dic))
    return max(gaps, key=lambda gap: gap[0])


def _one_class(report: Report) -> Iterator[str]:
    """The class that loses most beside what the mean over classes loses."""
    clean = report["clean"]
    losses = [
        ((own - dic) - (clean["DIC"] - worst["DIC"]), epsilon, number, own, dic)
        for epsilon, worst in report["worst_case"].items()
        for number, (own, dic) in enumerate(zip(clean.get("classes", []), worst.get("classes", []), strict=True), 1)
    ]
    if losses and max(losses)[0] >= ONE_CLASS:
        _, epsilon, number, own, dic = max(losses, key=lambda loss: loss[0])
        yield (
            f"The mean over {len(clean['classes'])} classes hides what one of them loses: at ε = {epsilon} class "
            f"{number} has DIC {dic:.3f} (clean {own:.3f}) in the worst case, the mean "
            f"{report['worst_case'][epsilon]['DIC']:.3f} (clean {clean['DIC']:.3f})."
        )


def _below_the_floor(report: Report) -> Iterator[str]:
    floor = _floor(report)
    if floor is None or report["clean"]["DIC"] < floor:
        return
    for epsilon, worst in report["worst_case"].items():
        if worst["DIC"] < floor:
            yield (
                f"From ε = {epsilon} on the worst case, DIC {worst['DIC']:.3f}, is below the {floor:.3f} of the best "
                "constant mask, which does not look at the picture."
            )
            return


def _failed_criteria(report: Report) -> Iterator[str]:
    for criterion in report["criteria"]:
        asked = f"{wanted(criterion)} at ε = {criterion['epsilon']:g}"
        if criterion["met"] is None:
            yield f"The criterion '{asked}' cannot be judged: that ε was not attacked, or the metric is not defined."
        elif not criterion["met"]:
            it = "it is" if criterion["share"] is None else "so many have at least"
            measured = "" if criterion["value"] is None else f": {it} {_below(criterion)}"
            breaks = f"The smallest ε that breaks it is {criterion['breaks_at']:g}."
            yield f"The criterion '{asked}' is not met{measured}. {breaks}"


def _below(criterion: Mapping[str, Any]) -> str:
    """What was measured, with so many digits that it does not look like the bound that it misses."""
    value = criterion["value"]
    digits = next((digits for digits in range(3, 9) if round(value, digits) < criterion["at_least"]), 9)
    return f"{value:.{digits}f}"


def _noise_alone(report: Report) -> Iterator[str]:
    clean, floor = report["clean"]["DIC"], _floor(report)
    # what is below the floor on clean pictures can still lose, but not fall below it
    bound = clean - NOISE_HARM if floor is None or floor >= clean else max(clean - NOISE_HARM, floor)
    for epsilon, cell in report["attacks"].get(NOISE, {}).items():
        if cell["DIC"] < bound:
            yield (
                f"Noise alone, without any intent, lowers DIC from {clean:.3f} to {cell['DIC']:.3f} at ε = {epsilon}."
            )
            return


def _corruptions(report: Report) -> Iterator[str]:
    """The corruption that costs most, if it costs more than attacks, and how many others do."""
    worst = report["worst_case"]
    smallest = next(iter(worst))
    rows = [row for row in report["corruptions"] if row["DIC"] < worst[smallest]["DIC"] - SEEN]
    if rows:
        most = min(rows, key=lambda row: row["DIC"])
        reached = [epsilon for epsilon, attacked in worst.items() if most["DIC"] < attacked["DIC"]][-1]
        others = len({row["corruption"] for row in rows}) - 1
        more = f"; at ε = {smallest} the same holds of {noun(others, 'other corruption')}" if others else ""
        yield (
            f"Without an adversary, {most['corruption']} at severity {most['severity']}, applied to the picture as the "
            f"network gets it, after the preprocessing, lowers DIC to {most['DIC']:.3f}, more than every attack up to "
            f"ε = {reached}{more}."
        )


def _more_gradients(report: Report) -> Iterator[str]:
    falls = []
    for epsilon in report["epsilons"]:
        rows = [row for row in report["convergence"] if row["epsilon"] == epsilon and row["DIC"] is not None]
        if len(rows) < 2:
            continue
        rows = sorted(rows, key=lambda row: row["gradients"])
        if rows[-1]["DIC"] < SEEN:
            continue  # nothing is left to take
        before = (1 - LAST_PART) * rows[-1]["gradients"]
        early = [row for row in rows if row["gradients"] <= before] or rows[:1]
        falls.append((early[-1]["DIC"] - rows[-1]["DIC"], epsilon, early[-1], rows[-1]))
    if falls and max(falls, key=lambda fall: fall[0])[0] > STILL_FALLING:
        _, epsilon, start, end = max(falls, key=lambda fall: fall[0])
        yield (
            f"More gradients would lower the figures further: at ε = {epsilon:g} the worst case still fell from DIC "
            f"{start['DIC']:.3f} after {start['gradients']:.0f} gradients to {end['DIC']:.3f} after "
            f"{end['gradients']:.0f}."
        )


def _range(report: Report) -> Iterator[str]:
    facts = report["facts"]
    if facts.get("range_source") == MEASURED:
        yield (
            "The range of intensities was not stated but taken from the pictures "
            f"({given(facts.get('intensity_range'))}): what ε means depends on these pictures."
        )


def _worst_case(report: Report) -> Iterator[str]:
    rows = a_few(list(report["worst_case"].items()), 5)
    falls = ", ".join(f"{interval(worst)} at ε = {epsilon}" for epsilon, worst in rows)
    brackets = "" if report["clean"]["low"] is None else "; in brackets the bootstrap 95 % interval"
    yield (
        f"Mean DIC of {noun(report['images'], 'image')}: {interval(report['clean'])} on the clean pictures, in the "
        f"worst case of all attacks {falls}{brackets}."
    )


def _left_out(report: Report) -> Iterator[str]:
    """What was skipped, could not be applied, or was not asked for."""
    if report["left_out"]:
        yield f"Left out of all figures: {noun(report['left_out'], 'image')} without a DIC on the clean picture."
    if report["images"] == 1:
        yield "Only 1 image was tested: there are no intervals."
    for name, cells in report["attacks"].items():
        few = [epsilon for epsilon, cell in cells.items() if cell["images"] < report["images"]]
        if few:
            yield (
                f"'{name}' was not tried on all images: {cells[few[-1]]['images']} of {report['images']} at "
                f"ε = {few[-1]}. Its mean is over these, and cannot be compared with others."
            )
        lacking = [f"{epsilon:g}" for epsilon in report["epsilons"] if f"{epsilon:g}" not in cells]
        if lacking:
            yield f"'{name}' was not tried at ε = {', '.join(lacking)}."
    skipped = [check["name"] for check in report["checks"] if check["status"] == "not applicable"]
    if skipped:
        yield f"{noun(len(skipped), 'check')} could not be applied: {', '.join(skipped)}."
    if not report["checks"]:
        yield "No check for masked gradients was made."
    facts = report["facts"]
    if facts.get("undefined_attacks"):
        names = ", ".join(PAPERS if name == PAPER else f"'{name}'" for name in facts["undefined_attacks"])
        yield f"Not tried, since only defined for two classes: {names}."
    if facts.get("corruptions_left_out"):
        yield f"Corruptions that do not apply to these pictures: {', '.join(facts['corruptions_left_out'])}."
    if facts.get("corruptions_without_zero"):
        names = facts["corruptions_without_zero"]
        yield (
            f"{noun(len(names), 'corruption')} not tried: {', '.join(names)}. They multiply or count grey levels, but "
            "where the range is taken from the pictures, level 0 is only their lowest value. State a range with "
            "--intensity_range whose lower end is that of no signal, and they are tried."
        )
    if facts.get("cut_masks"):
        yield f"{noun(facts['cut_masks'], 'mask')} held numbers that are not whole; they were cut off, as MONAI does."
    if facts.get("cut_training_masks"):
        masks = noun(facts["cut_training_masks"], "training mask")
        yield f"{masks} for the floor held numbers that are not whole; they were cut off, as MONAI does."
    if facts.get("empty_masks"):
        empty = noun(facts["empty_masks"], "mask")
        yield f"{empty} without foreground: DIC is 1 there if nothing is predicted, else 0."
    if facts.get("gallery_lacks"):
        yield (
            f"The gallery lacks {noun(facts['gallery_lacks'], 'picture')} of the worst failures, which an earlier run "
            "into this folder, for fewer pictures or on other images, did not keep."
        )
    for name in ("floor", "ceiling"):
        if all(value is None for value in report[name].values()):
            yield f"There is no {name}: {(report[f'{name}_reason'] or 'no reason given').rstrip('.')}."
    if not report["criteria"]:
        yield "No acceptance criterion was given."
    if not report["corruptions"]:
        yield "No corruptions were tried."


def _attacks(report: Report) -> dict[str, Any]:
    return {name: cells for name, cells in report["attacks"].items() if name != NOISE}


def _floor(report: Report) -> float | None:
    """The floor, which is the same at every ε."""
    floor: float | None = next(iter(report["floor"].values()))
    return floor
