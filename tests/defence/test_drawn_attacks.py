# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from pipeline.attacks.objective import inverse_mask
from pipeline.defence import loss_attacks
from pipeline.losses import ShrinkLoss
from pipeline.utils import InputError


def test_each_loss_has_its_attack_and_its_target() -> None:
    shrink, inversion = loss_attacks(["shrink", "inversion"], iterations=4)
    assert isinstance(shrink.loss_function, ShrinkLoss) and shrink.target is None
    assert inversion.target is inverse_mask
    assert shrink.iterations == inversion.iterations == 4
    assert shrink.relative_step == inversion.relative_step == 0.625


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "losses: name some of dice, cross-entropy, .*, grow, got none."),
        (["dice", "dise"], "losses: there is no loss 'dise'; there are dice, .*, grow."),
    ],
)
def test_an_unknown_loss_or_none_is_refused(losses: list[str], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        loss_attacks(losses)
