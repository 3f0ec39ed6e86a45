# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest

from pipeline.robustness import BUDGETS, RECIPES, Budget
from pipeline.utils import InputError


@pytest.mark.parametrize("name", ["nope", "crossentropy"])
def test_a_loss_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(InputError) as raised:
        Budget((8.0,), {"dice": 2, name: 2})
    assert str(raised.value) == f"Budget: steps: there is no loss '{name}'; there are {', '.join(RECIPES)}."
    with pytest.raises(InputError, match=f"there is no loss '{name}'"):
        dataclasses.replace(BUDGETS["quick"], steps={name: 2})
