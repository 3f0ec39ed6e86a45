# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from pipeline.handlers import EpochSeed, NetworkWiseTraining
from pipeline.networks import NWCN
from pipeline.utils import InputError

from .engines import At, Interrupted, TinyNetwork, assert_same_weights, interrupt, make_resumable_trainer
from .processes import start_processes

EPOCHS = 5
RATE = 0.01

pytestmark = pytest.mark.usefixtures("one_thread")


def make_trainer(
    folder: Path, max_epochs: int = EPOCHS, handlers: tuple[Any, ...] = (), distributed: bool = False
) -> SupervisedTrainer:
    """With a rate that falls after every epoch."""
    torch.manual_seed(0)
    network: nn.Module = NWCN(1)
    if distributed:
        network = nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=0.1)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.99, min_lr=1e-4)
    first = [EpochSeed(seed=3), NetworkWiseTraining(network, optimizer, scheduler, max_epochs)]
    return make_resumable_trainer(folder, network, optimizer, scheduler, max_epochs, first, handlers)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The final weights of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    make_trainer(folder).run()
    return torch.load(folder / "model.pt", weights_only=True)


@pytest.mark.parametrize("max_epochs, first", [(5, 2), (4, 2), (2, 1)])
def test_trains_one_subnetwork_at_a_time(tmp_path: Path, max_epochs: int, first: int) -> None:
    weights: list[dict[str, torch.Tensor]] = []

    def note(engine: Engine) -> None:
        weights.append({name: tensor.clone() for name, tensor in engine.network.state_dict().items()})

    handlers = (At(Events.STARTED | Events.EPOCH_COMPLETED, note),)
    make_trainer(tmp_path, max_epochs, handlers).run()
    for epoch, (before, after) in enumerate(zip(weights[:-1], weights[1:], strict=True), start=1):
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        part = "first" if epoch <= first else "second"
        # weights, running statistics and counters of the one, nothing of the other
        assert moved == {name for name in before if name.startswith(f"{part}.")}, epoch


def test_the_second_begins_with_a_fresh_optimizer_and_scheduler(tmp_path: Path) -> None:
    seen: list[tuple[int, float, bool]] = []

    def note(engine: Engine) -> None:
        optimizer = engine.optimizer
        seen.append((engine.state.epoch, optimizer.param_groups[0]["lr"], bool(optimizer.state)))

    trainer = make_trainer(tmp_path, handlers=(At(Events.EPOCH_STARTED, note),))
    trainer.run()
    rate = pytest.approx
    # "threshold" makes the second epoch of a subnetwork the first that is not good enough
    assert seen == [
        (1, rate(RATE), False),
        (2, rate(RATE), True),
        (3, rate(RATE), False),
        (4, rate(RATE), True),
        (5, rate(RATE / 2), True),
    ]
    checkpoint = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert checkpoint["scheduler"]["last_epoch"] == 3
    steps = {int(state["step"]) for state in checkpoint["optimizer"]["state"].values()}
    assert steps == {9}
    assert len(checkpoint["optimizer"]["state"]) == len(list(trainer.network.second.parameters()))


@pytest.mark.parametrize(
    "event",
    [
        *(Events.EPOCH_STARTED(once=epoch) for epoch in (2, 3, 4, 5)),
        Events.ITERATION_COMPLETED(once=5),
        Events.ITERATION_COMPLETED(once=8),
        Events.ITERATION_COMPLETED(once=11),
    ],
    ids=["epoch_2", "epoch_3", "epoch_4", "epoch_5", "within_epoch_2", "within_epoch_3", "within_epoch_4"],
)
def test_an_interrupted_training_ends_in_the_same_weights(tmp_path: Path, whole, event: Any) -> None:
    with pytest.raises(Interrupted):
        make_trainer(tmp_path, handlers=(At(event, interrupt),)).run()
    assert not (tmp_path / "model.pt").exists()
    make_trainer(tmp_path).run()
    assert_same_weights(tmp_path, whole)


def distributed_training(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=1)
    make_trainer(Path(folder), distributed=True).run()
    torch.distributed.destroy_process_group()


def test_in_distributed_data_parallel(tmp_path: Path, whole) -> None:
    assert start_processes(distributed_training, 1, str(tmp_path)) == [0]
    assert_same_weights(tmp_path, whole)


@pytest.mark.parametrize(
    "make, max_epochs, message",
    [
        (TinyNetwork, 4, "NetworkWiseTraining: network must be an NWCN, got TinyNetwork."),
        (lambda: NWCN(1), 1, "max_epochs: each subnetwork needs an epoch, so at least 2 in all, got 1."),
    ],
)
def test_bad_arguments(make, max_epochs: int, message: str) -> None:
    network = make()
    optimizer = torch.optim.Adam(network.parameters())
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        NetworkWiseTraining(network, optimizer, ReduceLROnPlateau(optimizer), max_epochs)
