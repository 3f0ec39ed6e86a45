# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from experiments.report.condition import Condition, by_condition
from experiments.report.pairs import differences, wanted_pairs
from experiments.report.statistics import check_results, paired_differences, summarize
from pipeline.robustness.report import bootstrap_interval
from pipeline.utils import InputError

from .tables import cell_rows, join

NAMES = ("A", "B")


def noisy(offset: float, spread: float = 0.01) -> Callable[[int, float, int], float]:
    """Scores that differ by seed, ε and image, reproducibly."""
    return lambda seed, epsilon, image: (
        offset - epsilon / 100 + spread * np.sin(7 * seed + 3 * image + epsilon + 50 * offset)
    )


def test_mean_and_deviation_over_the_seeds_of_the_mean_over_the_images() -> None:
    dic = {(0, 0): 0.8, (0, 1): 0.6, (1, 0): 0.9, (1, 1): 0.7, (2, 0): 1.0, (2, 1): 1.0}
    several = cell_rows(lambda seed, epsilon, image: dic[seed, image] - epsilon / 64)
    single = cell_rows(lambda seed, epsilon, image: 0.5, network="unet", nlce=False, seeds=[4], images=[0, 1, 2])
    # rows in no particular order
    summary = summarize(join(several, single).sample(frac=1, random_state=0))
    assert set(by_condition(summary)) == {Condition("jsrt", "nlcen", True), Condition("jsrt", "unet", False)}
    own = by_condition(summary)[Condition("jsrt", "nlcen", True)]
    assert own["epsilon"].tolist() == [0.0, 32.0]
    # seeds' means 0.7, 0.8, 1.0: mean 2.5 / 3, squared deviations 0.16 / 9, 0.01 / 9, 0.25 / 9
    assert own["DIC"].tolist() == pytest.approx([2.5 / 3, 1 / 3])
    assert own["DIC_sd"].tolist() == pytest.approx([np.sqrt(0.42 / 9 / 2)] * 2)
    assert own["seeds"].tolist() == [3, 3] and own["images"].tolist() == [2, 2]
    jsc = [np.mean([dic[seed, image] / (2 - dic[seed, image]) for image in (0, 1)]) for seed in range(3)]
    assert own["JSC"].iloc[0] == pytest.approx(np.mean(jsc))
    assert own["JSC_sd"].iloc[0] == pytest.approx(np.std(jsc, ddof=1))
    other = by_condition(summary)[Condition("jsrt", "unet", False)]
    assert other["seeds"].tolist() == [1, 1] and other["images"].tolist() == [3, 3]
    assert other["DIC_sd"].isna().all() and other["JSC_sd"].isna().all()


def test_paired_differences_are_exact_and_claimed_with_three_seeds_only() -> None:
    first = cell_rows(noisy(0.8), seeds=range(3), images=range(4))
    second = cell_rows(noisy(0.7), network="unet", nlce=False, seeds=range(3), images=range(4))
    table = paired_differences(first, second.sample(frac=1, random_state=0), NAMES, draws=2000)
    assert list(zip(table["metric"], table["epsilon"], strict=True)) == [
        ("DIC", 0.0),
        ("DIC", 32.0),
        ("JSC", 0.0),
        ("JSC", 32.0),
    ]
    for row in table.itertuples():
        own = [part[part["epsilon"] == row.epsilon].sort_values(["seed", "image"]) for part in (first, second)]
        pairs = (own[0][row.metric].to_numpy() - own[1][row.metric].to_numpy()).reshape(3, 4)
        assert row.difference == pytest.approx(pairs.mean())
        assert [row.low, row.high] == pytest.approx(np.array(bootstrap_interval(pairs, draws=2000)))
        assert (row.seeds, row.images) == (3, 4)
        assert row.low > 0 and row.claimed is True
    few = [part[part["seed"] < 2] for part in (first, second)]
    table = paired_differences(*few, NAMES)
    assert table["difference"].min() > 0.05
    assert table["low"].isna().all() and table["high"].isna().all()
    assert not table["claimed"].any() and (table["seeds"] == 2).all()


def test_a_difference_is_claimed_downwards_too_and_not_with_0_inside() -> None:
    higher = cell_rows(lambda seed, epsilon, image: 0.6 + 0.01 * seed + 0.01 * image)
    lower = cell_rows(lambda seed, epsilon, image: 0.5, network="unet", nlce=False)
    turning = cell_rows(lambda seed, epsilon, image: 0.4 + 0.1 * seed, network="cdnn", nlce=False)
    assert paired_differences(lower, higher, NAMES, 500)["claimed"].all()
    assert not paired_differences(turning, lower, NAMES, 500)["claimed"].any()
    assert not paired_differences(lower, lower, NAMES, 500)["claimed"].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"seeds": [0, 1]},
            "A and B cannot be paired, their seeds differ: only A has 2; compare runs of the same.",
        ),
        (
            {"images": range(1, 7)},
            "A and B cannot be paired, their images differ: only A has image0; compare runs of the same.",
        ),
        (
            {"images": range(9)},
            "A and B cannot be paired, their images differ: only B has image2, image3, image4 and 4 more; "
            "compare runs of the same.",
        ),
        (
            {"epsilons": [0.0, 8.0]},
            "A and B cannot be paired, their intensities differ: only A has 32.0; compare runs of the same.",
        ),
    ],
)
def test_pairs_that_do_not_match_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        paired_differences(cell_rows(noisy(0.8)), cell_rows(noisy(0.7), **changes), NAMES)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_wanted_pairs() -> None:
    main = [
        Condition("jsrt", "nlcen", True, called="NLCEN"),
        Condition("jsrt", "nlcen", False, called="NLCEN w/o NLCE"),
        Condition("jsrt", "unet", True, called="UNet + NLCE"),
        Condition("jsrt", "unet", False, called="UNet"),
        Condition("jsrt", "cdnn", True, called="CDNN + NLCE"),
        Condition("jsrt", "cdnn", False, called="CDNN"),
    ]
    names = ("without_nl", "without_ce", "frozen", "fine_tuned", "my_stage")
    stages = [Condition("jsrt", "nlcen", True, stage) for stage in names]
    readings = [
        Condition("jsrt", "nlcen", True, reading="twelve_bit", called="NLCEN"),
        Condition("jsrt", "unet", False, reading="twelve_bit", called="UNet"),
        Condition("jsrt", "nlcen", True, reading="all_outputs", called="NLCEN"),
        Condition("jsrt", "nlcen", True, variant="scaled_attention", called="NLCEN"),
    ]
    elsewhere = [
        Condition("isbi2016", "nlcen", True, called="NLCEN"),
        Condition("isbi2016", "cdnn", False, called="CDNN"),
    ]
    pairs = {
        (pair.question, pair.first.data, pair.first.title, pair.second.title)
        for pair in wanted_pairs([*main, *stages, *readings, *elsewhere])
    }
    assert pairs == {
        ("nlce", "jsrt", "NLCEN", "NLCEN w/o NLCE"),
        ("nlce", "jsrt", "UNet + NLCE", "UNet"),
        ("nlce", "jsrt", "CDNN + NLCE", "CDNN"),
        ("network", "jsrt", "NLCEN", "UNet"),
        ("network", "jsrt", "NLCEN", "CDNN"),
        ("network", "isbi2016", "NLCEN", "CDNN"),
        ("ablation", "jsrt", "ablation: w/o NL", "NLCEN w/o NLCE"),
        ("ablation", "jsrt", "ablation: NLCEN", "NLCEN w/o NLCE"),
        ("ablation", "jsrt", "ablation: fine-tuned", "NLCEN w/o NLCE"),
        ("ablation", "jsrt", "ablation: fine-tuned", "ablation: NLCEN"),
        ("ablation", "jsrt", "ablation: w/o CE", "NLCEN w/o NLCE"),
        ("ablation", "jsrt", "ablation: NLCEN", "ablation: w/o NL"),
        ("ablation", "jsrt", "ablation: NLCEN", "ablation: w/o CE"),
        # a stage of any name
        ("ablation", "jsrt", "ablation: my stage", "NLCEN w/o NLCE"),
        # of UNet, which has one output, the main attack
        ("network", "jsrt", "NLCEN, summed loss of all five outputs", "UNet"),
        ("network", "jsrt", "NLCEN, ε in levels of 12 bits", "UNet, ε in levels of 12 bits"),
        ("nlce", "jsrt", "NLCEN, NLCE with 1/√d", "NLCEN w/o NLCE"),
        ("network", "jsrt", "NLCEN, NLCE with 1/√d", "UNet"),
        ("network", "jsrt", "NLCEN, NLCE with 1/√d", "CDNN"),
    }


def test_differences_use_the_seeds_that_both_have() -> None:
    table = join(
        cell_rows(noisy(0.8), seeds=range(4)),
        cell_rows(noisy(0.6), network="unet", nlce=False, seeds=[1, 2, 3, 5]),
        cell_rows(noisy(0.6), network="cdnn", nlce=False, seeds=[9]),
    )
    ((pair, compared),) = differences(table, draws=200).items()
    assert (pair.first, pair.second) == (Condition("jsrt", "nlcen", True), Condition("jsrt", "unet", False))
    assert compared["seeds"].unique().tolist() == [3]
    common = [1, 2, 3]
    means = [
        table[(table["network"] == name) & table["seed"].isin(common) & (table["epsilon"] == 0)]["DIC"].mean()
        for name in ("nlcen", "unet")
    ]
    assert compared["difference"].iloc[0] == pytest.approx(means[0] - means[1])


def test_differences_name_what_cannot_be_paired() -> None:
    table = join(cell_rows(noisy(0.8)), cell_rows(noisy(0.6), network="unet", nlce=False, images=[0, 1, 2]))
    with pytest.raises(InputError) as error:
        differences(table)
    assert str(error.value) == (
        "NLCEN on jsrt and UNet on jsrt cannot be paired, their images differ: only UNet on jsrt has image2; "
        "compare runs of the same."
    )


def test_seeds_with_other_images_are_refused() -> None:
    table = cell_rows(noisy(0.8))
    check_results(table)
    with pytest.raises(InputError) as error:
        check_results(table.drop(index=3))
    assert str(error.value) == (
        "NLCEN on jsrt: seed 0 has no score of image 'image1' at ε = 32, as other seeds have; run that cell again."
    )
    # as many rows, but all later images would be paired with others
    table.loc[3, ["image", "epsilon"]] = table.loc[2, ["image", "epsilon"]]
    with pytest.raises(InputError, match="NLCEN on jsrt: seed 0 has two scores of image '.*' at ε = "):
        check_results(table)
