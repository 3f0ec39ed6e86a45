# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from pipeline.handlers import EpochSeed, WeightAverage
from pipeline.utils import InputError

from .engines import At, Interrupted, assert_same_weights, interrupt, make_network, make_resumable_trainer

pytestmark = pytest.mark.usefixtures("one_thread")

MOMENTUM = 0.25


def make_trainer(folder: Path, average: bool = True, handlers: tuple[Any, ...] = ()) -> SupervisedTrainer:
    """Four epochs of three steps."""
    network = make_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    scheduler = ReduceLROnPlateau(optimizer)
    kept = WeightAverage(network, MOMENTUM) if average else None
    return make_resumable_trainer(folder, network, optimizer, scheduler, 4, [EpochSeed(3)], handlers, average=kept)


def test_the_final_weights_are_the_average_of_all_steps_by_its_definition(tmp_path: Path) -> None:
    expected: dict[str, torch.Tensor] = {}

    def average(engine: Any) -> None:
        momentum = max(MOMENTUM, 9 / (10 + engine.state.iteration))
        for name, value in engine.network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            before = expected.get(name, start[name])
            expected[name] = (1 - momentum) * before + momentum * value.double()

    trainer = make_trainer(tmp_path, handlers=(At(Events.ITERATION_COMPLETED, average),))
    start = {name: value.double() for name, value in trainer.network.state_dict().items()}
    trainer.run()
    found = torch.load(tmp_path / "model.pt", weights_only=True)
    last = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["network"]
    assert len(expected) == 8
    for name, value in expected.items():
        torch.testing.assert_close(found[name].double(), value, rtol=1e-5, atol=1e-6)
    assert not torch.equal(found["conv.weight"], last["conv.weight"])
    # what is evaluated after the training is what was written
    assert_same_weights(tmp_path, trainer.network.state_dict())


@pytest.mark.parametrize("moment", [Events.ITERATION_COMPLETED(once=8), Events.EPOCH_COMPLETED(once=4)])
def test_an_interrupted_training_ends_in_the_same_average(tmp_path: Path, moment: Any) -> None:
    make_trainer(tmp_path / "whole").run()
    whole = torch.load(tmp_path / "whole" / "model.pt", weights_only=True)
    with pytest.raises(Interrupted):
        make_trainer(tmp_path, handlers=(At(moment, interrupt),)).run()
    make_trainer(tmp_path).run()
    assert_same_weights(tmp_path, whole)
    # and a complete one keeps its average when it is called again
    make_trainer(tmp_path, handlers=(At(Events.ITERATION_STARTED, interrupt),)).run()
    assert_same_weights(tmp_path, whole)


def test_a_checkpoint_without_an_average_is_refused(tmp_path: Path) -> None:
    make_trainer(tmp_path, average=False).run()
    with pytest.raises(InputError, match="checkpoint.pt is no checkpoint of a training: it has no 'average'"):
        make_trainer(tmp_path).run()


@pytest.mark.parametrize("momentum", [0.0, 1.1, -0.1])
def test_a_momentum_out_of_range_is_refused(momentum: float) -> None:
    with pytest.raises(InputError, match=f"average_momentum must be above 0 and at most 1, got {momentum}"):
        WeightAverage(make_network(), momentum)


def test_an_average_is_attached_once(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    average = WeightAverage(trainer.network, 0.5)
    average.attach(trainer)
    handlers = len(trainer._event_handlers[Events.ITERATION_COMPLETED])
    average.attach(trainer)
    assert len(trainer._event_handlers[Events.ITERATION_COMPLETED]) == handlers
