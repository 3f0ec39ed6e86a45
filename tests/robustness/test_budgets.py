# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest

from pipeline.robustness import BUDGETS, RECIPES, Budget
from pipeline.utils import InputError


@pytest.mark.parametrize(
    ("name", "end"),
    [("nope", "."), ("dise", "; did you mean 'dice'?"), ("crossentropy", "; did you mean 'cross-entropy'?")],
)
def test_a_loss_that_does_not_exist_is_refused_with_the_nearest(name: str, end: str) -> None:
    with pytest.raises(InputError) as raised:
        Budget((8.0,), {"dice": 2, name: 2})
    assert str(raised.value) == f"Budget: steps: there is no loss '{name}' among {', '.join(RECIPES)}{end}"
    with pytest.raises(InputError, match=f"there is no loss '{name}'"):
        dataclasses.replace(BUDGETS["quick"], steps={name: 2})
