# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

import pytest

from pipeline.robustness import Criterion
from pipeline.robustness.report import read_criteria
from pipeline.utils import InputError


def test_dictionaries_and_criteria_are_the_same() -> None:
    criteria = [{"epsilon": 2.0, "at_least": 0.9}, Criterion(8, 0.8), {"epsilon": 8, "at_least": 0.5, "metric": "NSD"}]
    criteria.append({"epsilon": 8.0, "at_least": 0.7, "share": 0.95})
    assert read_criteria(criteria) == (
        Criterion(2.0, 0.9),
        Criterion(8, 0.8),
        Criterion(8, 0.5, "NSD"),
        Criterion(8.0, 0.7, share=0.95),
    )
    assert read_criteria(read_criteria(criteria)) == read_criteria(criteria)
    assert read_criteria([]) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"epsilon": 2.0}], "each needs 'epsilon' and 'at_least', and may have 'metric'"),
        ([{"epsilon": 2.0, "at_least": 0.8, "name": "a"}], "each needs 'epsilon' and 'at_least'.*'name': 'a'"),
        ([0.8], "each needs 'epsilon' and 'at_least'.*got 0.8"),
        ({"epsilon": 2.0, "at_least": 0.8}, "a list is needed"),
        ("DIC", "a list is needed"),
        ([{"epsilon": "8", "at_least": 0.8}], "'epsilon' must be a number, got '8'"),
        ([{"epsilon": 8.0, "at_least": 0.8, "metric": "HD95"}], "'metric' must be one of DIC, JSC, NSD"),
        ([{"epsilon": 8.0, "at_least": 0.8, "share": 95}], "'share' must be above 0 and at most 1.*got 95"),
        ([{"epsilon": 8.0, "at_least": 0.8, "share": 0}], "'share' must be above 0"),
        ([{"epsilon": 8.0, "at_least": 0.8, "share": True}], "'share' must be a number, got True"),
    ],
)
def test_what_is_no_criterion_is_refused(given: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_criteria(given)
