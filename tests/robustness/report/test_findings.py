# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from pipeline.robustness import NOISE, Assessment
from pipeline.robustness.checks import CheckResult
from pipeline.robustness.report import findings, make_report

from .assessments import EPSILONS, all_empty, constant, erased_class, leaking, one_image, scores_of, undefended, volumes


def said(assessment: Assessment) -> list[str]:
    return findings(make_report(assessment))


def place(sentences: list[str], part: str) -> int:
    """Where the only sentence with this part stands."""
    (found,) = [index for index, sentence in enumerate(sentences) if part in sentence]
    return found


def flat(clean: float, floor: float | None, **changes: Any) -> Assessment:
    """A network that no attack changes."""
    scores = scores_of(clean, {"dice": (clean,) * 3}, spread=0.0)
    bound = None if floor is None else dict.fromkeys(scores["image"].unique(), floor)
    return Assessment(scores=scores, epsilons=EPSILONS, floor=bound, **changes)


def test_a_leak_comes_first_then_other_failed_checks_then_the_single_attack_and_the_floor() -> None:
    sentences = said(leaking())
    assert sentences[0].startswith("The check 'attacks agree' failed (0.01)")
    assert sentences[1].startswith("The check 'one step beats many' failed")
    assert (
        "at ε = 32 the attack of He et al. ('paper') alone reads DIC 0.905 where the worst case is 0.211"
        in sentences[2]
    )
    assert "From ε = 32 on the worst case, DIC 0.211, is below the 0.846" in sentences[3]
    assert "0.905" in sentences[2] and "From ε = 8" not in sentences[3]


def test_gradients_that_do_not_work_come_before_a_leak_which_they_explain() -> None:
    broken = CheckResult("gradients are not zero", "failed", 1.0, "All are zero.")
    sentences = said(replace(leaking(), checks=[*leaking().checks, broken]))
    assert sentences[0].startswith("The check 'gradients are not zero' failed (1)")
    assert sentences[1].startswith("The check 'attacks agree' failed")
    assert sentences[2].startswith("The check 'one step beats many' failed")
    assert sum("failed" in sentence for sentence in sentences) == 3


def test_a_network_that_loses_nothing_is_not_believed() -> None:
    assert any("takes more than 0.000 from DIC, not even at ε = 32" in sentence for sentence in said(flat(0.96, 0.8)))
    assert not any("not even" in sentence for sentence in said(leaking()))
    small = flat(0.96, 0.8)
    small = replace(small, scores=small.scores[small.scores["epsilon"] <= 2.0], epsilons=(2.0,))
    assert not any("not even" in sentence for sentence in said(small))


def test_without_a_check_the_figures_tell_of_the_leak() -> None:
    sentences = said(replace(leaking(), checks=[]))
    assert "'paper' raises DIC from 0.931 on the clean pictures to 0.942 at ε = 8" in sentences[0]
    assert "trained against it, or draws too much" in sentences[0]
    passed = [CheckResult("attacks agree", "passed", 0.0, "")]
    assert not any("raises DIC" in sentence for sentence in said(replace(leaking(), checks=passed)))
    assert not any("raises DIC" in sentence for sentence in said(replace(undefended(), checks=[])))


def test_a_network_that_ignores_its_picture_is_named_first() -> None:
    sentences = said(constant())
    assert "predicts almost the same mask for every picture" in sentences[0]
    assert all(number in sentences[0] for number in ("0.999", "0.840", "0.846"))
    by_floor = said(flat(0.86, 0.846))
    assert "no better than one that predicts almost the same mask for every picture" in by_floor[0]
    alike = flat(0.98, None, sameness=0.97, mask_sameness=0.5)
    assert "is 0.970, between their true masks 0.500" in said(alike)[0]
    others = [flat(0.87, 0.846), flat(0.86, None), flat(0.9, 0.846, sameness=0.94)]
    # neighbouring slices: the true masks are as alike
    for other in (*others, replace(alike, mask_sameness=0.965)):
        assert not any("almost the same" in sentence for sentence in said(other))


def test_a_network_that_has_learned_nothing_is_named_first() -> None:
    assert "learned nothing that helps: its clean DIC is 0.500, below the 0.846" in said(flat(0.5, 0.846))[0]
    assert "learned nothing: its clean DIC is 0.050" in said(flat(0.05, None))[0]
    assert not any("learned nothing" in sentence for sentence in said(flat(0.5, None)))


def test_what_is_above_the_ceiling_is_doubted() -> None:
    sentences = said(flat(0.963, 0.846, ceiling={2.0: 0.997, 8.0: 0.978, 32.0: 0.909}))
    assert sentences[0].startswith("At ε = 32 the worst case, DIC 0.963, is above 0.909")


def test_the_order_is_that_of_importance() -> None:
    sentences = said(undefended())
    parts = [
        "at ε = 8 the attack of He et al. ('paper') alone reads DIC 0.502 where the worst case is 0.098",
        "From ε = 2 on the worst case, DIC 0.845, is below the 0.846",
        "'mean DIC of at least 0.7 at ε = 8' is not met: it is 0.098. The smallest ε that breaks it is 8",
        "'mean DIC of at least 0.7 at ε = 4' cannot be judged",
        "'DIC of at least 0.3 on 87.5 % of the images at ε = 8' is not met: so many have at least 0.0",
        "Noise alone, without any intent, lowers DIC from 0.962 to 0.791 at ε = 32",
        "blur at severity 5, applied to the picture as the network gets it, after the preprocessing, lowers DIC to "
        "0.205, more than every attack up to ε = 2.",
        "at ε = 8 the worst case still fell from DIC 0.200 after 20 gradients to 0.100 after 40",
        "Mean DIC of 12 images: 0.962 (0.949 to 0.975) on the clean pictures",
        "1 check could not be applied: rescaled logits",
    ]
    assert [place(sentences, part) for part in parts] == list(range(len(parts))) and len(sentences) == len(parts)


def test_a_class_that_loses_far_more_than_the_mean_is_named() -> None:
    assessment = erased_class()
    report = make_report(assessment)
    worst, clean = report["worst_case"]["8"], report["clean"]
    (sentence,) = [each for each in findings(report) if "hides what one of them loses" in each]
    assert "mean over 3 classes" in sentence
    assert f"at ε = 8 class 3 has DIC {worst['classes'][2]:.3f} (clean {clean['classes'][2]:.3f}) in" in sentence
    assert f"the mean {worst['DIC']:.3f} (clean {clean['DIC']:.3f})." in sentence
    evenly = assessment.scores.assign(**dict.fromkeys(("DIC_1", "DIC_2", "DIC_3"), assessment.scores["DIC"]))
    assert not any("hides" in each for each in said(replace(assessment, scores=evenly)))
    assert not any("hides" in each for each in said(undefended()))


@pytest.mark.parametrize(
    ("stated", "measured", "share"),
    [((-1000.0, 1000.0), (-2.0, 4.8), "0.34 %"), ((0.0, 1.0), (0.3, 0.79), "49 %"), ((0.0, 1.0), (0.3, 0.81), None)],
)
def test_a_range_that_the_pictures_hardly_fill_is_doubted(
    stated: tuple[float, float], measured: tuple[float, float], share: str | None
) -> None:
    facts = {"range_source": "stated", "intensity_range": stated, "measured_range": measured}
    found = [each for each in said(flat(0.9, None, facts=facts)) if "fill only" in each]
    assert len(found) == (share is not None)
    if share is not None:
        assert f"{measured[0]:g} to {measured[1]:g}, fill only {share} of the range" in found[0]
        assert f"{stated[0]:g} to {stated[1]:g}, of which ε counts 255th parts" in found[0]


def one_attack(means: dict[str, tuple[float, ...]], **changes: Any) -> list[str]:
    scores = scores_of(0.9, means, spread=0.0)
    return [each for each in said(Assessment(scores=scores, epsilons=EPSILONS, **changes)) if "One attack" in each]


def test_the_papers_attack_is_held_against_the_worst_case_and_else_the_best_single_one_by_gradients() -> None:
    dice, worst = (0.85, 0.5, 0.21), (0.85, 0.38, 0.2)
    (papers,) = one_attack({"paper": (0.85, 0.7, 0.3), "dice": dice, "refined": worst})
    assert "at ε = 8 the attack of He et al. ('paper') alone reads DIC 0.700 where the worst case is 0.380" in papers
    best = "at ε = 8 the best single attack by gradients, 'dice', reads DIC 0.500 where the worst case is 0.380."
    weak = {"cross-entropy": (0.88, 0.88, 0.88), "square": (0.9, 0.9, 0.89), "transfer": (0.85, 0.4, 0.2)}
    (others,) = one_attack({"dice": dice, **weak, "refined": worst})
    assert others == f"One attack is not enough: {best}"
    # the paper's is near
    assert one_attack({"paper": (0.85, 0.47, 0.3), "dice": dice, "refined": worst}) == [others]


def test_a_single_attack_that_is_near_or_needs_no_gradient_or_has_other_images_is_not_worth_a_word() -> None:
    weak = {"cross-entropy": (0.88, 0.88, 0.88), "square": (0.9, 0.9, 0.69), NOISE: (0.9, 0.9, 0.9)}
    assert not one_attack({**weak, "dice": (0.85, 0.5, 0.21), "refined": (0.85, 0.41, 0.2)})
    assert not one_attack({"paper": (0.85, 0.59, 0.3), "dice": (0.85, 0.5, 0.21)})
    assert not one_attack({NOISE: (0.9, 0.9, 0.9), "square": (0.85, 0.5, 0.21)})
    assert not any("One attack" in sentence for sentence in said(volumes()))


def test_what_attacks_and_checks_are_is_not_read_from_their_sentences() -> None:
    sentences = {"inversion": "towards the inverse mask by cross-entropy, the paper's loss"}
    means = {"inversion": (0.89, 0.88, 0.85), "dice": (0.85, 0.5, 0.21)}
    assert not one_attack(means, facts={"attacks": sentences})
    other = CheckResult("attacks move", "failed", 1.0, "No leak can be seen where nothing moves.")
    found = said(flat(0.9, None, sameness=1.0, checks=(other,)))
    assert "almost the same mask" in found[0] and found[1].startswith("The check 'attacks move' failed")


@pytest.mark.parametrize(
    ("clean", "floor", "noisy", "named"),
    [(0.3, 0.5, 0.299, False), (0.3, 0.5, 0.19, True), (0.9, 0.85, 0.86, False), (0.9, 0.85, 0.84, True)],
)
def test_noise_is_named_where_it_costs_a_tenth_or_the_floor(
    clean: float, floor: float, noisy: float, named: bool
) -> None:
    scores = scores_of(clean, {NOISE: (clean, clean, noisy)}, spread=0.0)
    bound = dict.fromkeys(scores["image"].unique(), floor)
    sentences = said(Assessment(scores=scores, epsilons=EPSILONS, floor=bound))
    assert any("Noise alone" in sentence for sentence in sentences) == named


def test_what_was_skipped_is_counted() -> None:
    sentences = said(volumes())
    for part in (
        "not stated but taken from the pictures (-2.08932 to 4.71956)",
        "'transfer' was not tried on all images: 3 of 4 at ε = 32",
        "'transfer' was not tried at ε = 2.",
        "There is no floor: volumes have different sizes.",
        "There is no ceiling: there is none for volumes.",
        "No check for masked gradients was made.",
        "No acceptance criterion was given.",
        "No corruptions were tried.",
        "2 corruptions not tried: shot noise, overexposure. They multiply or count grey levels, but where the range is",
    ):
        place(sentences, part)
    place(said(all_empty()), "Left out of all figures: 1 image")
    place(said(one_image()), "Only 1 image was tested")


@pytest.mark.parametrize(("last", "there"), [(0.876, False), (0.87, True)])
def test_more_gradients_would_help_where_the_last_quarter_still_lowers_the_curve(last: float, there: bool) -> None:
    rows = [(8.0, 50, 0.91), (8.0, 75, 0.885), (8.0, 100, last), (2.0, 50, 0.9), (2.0, 100, 0.9), (32.0, 100, 0.1)]
    table = pd.DataFrame(rows, columns=["epsilon", "gradients", "DIC"])
    sentences = said(replace(one_image(), convergence=table))
    assert (
        any("fell from DIC 0.885 after 75 gradients to 0.870 after 100" in sentence for sentence in sentences) == there
    )


def test_more_gradients_would_not_help_where_nothing_is_left() -> None:
    rows = [(32.0, 37, 0.158), (32.0, 53, 0.0), (8.0, 37, 0.53), (8.0, 53, 0.53)]
    table = pd.DataFrame(rows, columns=["epsilon", "gradients", "DIC"])
    assert not any("More gradients" in sentence for sentence in said(replace(one_image(), convergence=table)))


def test_the_worst_corruption_is_told_with_the_attacks_that_it_outdoes() -> None:
    found = (("blur", 5, 0.4), ("blur", 4, 0.5), ("JPEG", 1, 0.7), ("noise", 1, 0.89))
    rows = [("a", *row, row[-1] / 2) for row in found]
    table = pd.DataFrame(rows, columns=["image", "corruption", "severity", "DIC", "JSC"])
    (sentence,) = [each for each in said(replace(one_image(), corruptions=table)) if "adversary" in each]
    assert (
        "blur at severity 5, applied to" in sentence and "DIC to 0.400, more than every attack up to ε = 8;" in sentence
    )
    assert "; at ε = 2 the same holds of 1 other corruption." in sentence


def test_five_intensities_are_told_of_many() -> None:
    epsilons = tuple(float(epsilon) for epsilon in range(1, 19))
    rows = [("a", 0.0, "clean", 0.9, 0.8, 1.0, 1.0, 0.0)]
    rows += [("a", epsilon, "dice", 0.9 - epsilon / 40, 0.5, 1.0, 1.0, 1.0) for epsilon in epsilons]
    scores = pd.DataFrame(rows, columns=list(one_image().scores.columns))
    sentence = next(s for s in said(Assessment(scores=scores, epsilons=epsilons)) if s.startswith("Mean DIC"))
    assert sentence.count("at ε =") == 5 and "0.875 at ε = 1," in sentence and "0.450 at ε = 18" in sentence


def test_what_was_cut_is_empty_or_does_not_apply_is_said_with_its_count() -> None:
    facts = {"cut_masks": 2, "empty_masks": 1, "corruptions_left_out": ["JPEG"]}
    sentences = said(flat(0.9, None, facts=facts))
    place(sentences, "2 masks held numbers that are not whole")
    place(sentences, "1 mask without foreground")
    place(sentences, "do not apply to these pictures: JPEG.")
    nothing = said(flat(0.9, None, facts={"cut_masks": 0, "empty_masks": 0, "corruptions_left_out": []}))
    assert len(nothing) == len(sentences) - 3


def test_gradients_that_were_not_finite_are_counted_before_the_figures() -> None:
    sentences = said(flat(0.9, None, facts={"not_finite_images": 1}))
    assert sentences[0].startswith("On 1 of 12 images some gradients of the attacks were not finite numbers;")
    assert said(flat(0.9, None, facts={"not_finite_images": 0})) == said(flat(0.9, None)) == sentences[1:]


def test_another_failed_check_comes_after_a_network_that_ignores_its_picture() -> None:
    failed = CheckResult("gradients are not zero", "failed", 1.0, "All are zero.")
    sentences = said(flat(0.9, None, sameness=1.0, checks=(failed,)))
    assert "almost the same mask for every picture" in sentences[0] and "failed" in sentences[1]


def test_an_attack_that_is_not_defined_is_named_so_that_everyone_knows_it() -> None:
    report = make_report(undefended())
    report["facts"]["undefined_attacks"] = ["paper"]
    assert "Not tried, since only defined for two classes: the attack of He et al. ('paper')." in findings(report)
