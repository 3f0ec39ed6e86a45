# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.robustness.report import bootstrap_interval


def test_interval_of_one_seed_is_the_bootstrap_of_the_images() -> None:
    difference = np.random.default_rng(1).gamma(2.0, 0.1, 60)
    low, high = bootstrap_interval(difference[None], draws=20_000)
    reference = stats.bootstrap((difference,), np.mean, n_resamples=20_000, method="percentile", rng=2)
    assert [low, high] == pytest.approx(list(reference.confidence_interval), abs=0.02 * difference.std())


def test_interval_equals_a_loop_over_the_draws() -> None:
    # three seeds, four images: the distribution of the mean over all 3³ · 4⁴ draws is exact
    difference = np.array([[0.1, 0.4, -0.2, 0.3], [0.0, 0.2, 0.1, 0.5], [0.3, -0.4, 0.2, 0.6]])
    seeds = np.stack(np.meshgrid(*[range(3)] * 3), -1).reshape(-1, 3)
    images = np.stack(np.meshgrid(*[range(4)] * 4), -1).reshape(-1, 4)
    every = [difference[np.ix_(s, i)].mean() for s in seeds for i in images]
    low, high = bootstrap_interval(difference, draws=40_000)
    assert low == pytest.approx(np.quantile(every, 0.025), abs=0.006)
    assert high == pytest.approx(np.quantile(every, 0.975), abs=0.006)
    narrow = bootstrap_interval(difference, draws=40_000, level=0.5)
    assert narrow[0] == pytest.approx(np.quantile(every, 0.25), abs=0.006)


def test_interval_of_many_differences_is_that_of_each() -> None:
    difference = np.random.default_rng(3).normal(size=(4, 7, 3, 2))
    low, high = bootstrap_interval(difference, draws=500)
    assert low.shape == high.shape == (3, 2)
    for place in np.ndindex(3, 2):
        alone = bootstrap_interval(difference[(..., *place)], draws=500)
        assert [low[place], high[place]] == pytest.approx(np.array(alone))
    assert np.array_equal(bootstrap_interval(difference, draws=500)[0], low)
    assert not np.array_equal(bootstrap_interval(difference, draws=500, seed=1)[0], low)


@pytest.mark.parametrize(
    ("seeds", "seed_spread", "image_spread", "noise", "coverage"),
    [
        (12, 0.03, 0.0, 0.01, 0.92),
        (12, 0.0, 0.1, 0.01, 0.94),
        (12, 0.02, 0.1, 0.02, 0.94),
        # what the docstring says of few seeds that differ more than the images
        (3, 0.03, 0.0, 0.001, 0.75),
        (5, 0.03, 0.0, 0.001, 0.84),
    ],
)
def test_interval_covers_the_truth_about_as_often_as_it_says(
    seeds: int, seed_spread: float, image_spread: float, noise: float, coverage: float
) -> None:
    random = np.random.default_rng(0)
    truth, trials, covered = 0.05, 300, 0
    for _ in range(trials):
        difference = (
            truth
            + random.normal(0, seed_spread, (seeds, 1))
            + random.normal(0, image_spread, (1, 30))
            + random.normal(0, noise, (seeds, 30))
        )
        low, high = bootstrap_interval(difference, draws=400)
        covered += low <= truth <= high
    # twice the standard error of 300 trials
    assert covered / trials == pytest.approx(coverage, abs=0.05)
