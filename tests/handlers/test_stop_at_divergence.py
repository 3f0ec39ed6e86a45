# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedTrainer
from monai.handlers import LrScheduleHandler
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from pipeline.handlers import TrainingCheckpoint
from pipeline.losses import PixelCrossEntropy
from pipeline.utils import InputError
from pipeline.weights import load_network

from .engines import TinyNetwork, make_data
from .processes import start_processes

Spoil = Callable[[SupervisedTrainer], None]
STEPS = 3


class SpoiledLoss(nn.Module):
    """The cross-entropy, but ``value`` at one call of all."""

    def __init__(self, call: int, value: float) -> None:
        super().__init__()
        self.call, self.value, self.calls = call, value, 0
        self.loss = PixelCrossEntropy()

    def forward(self, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.loss(logits, masks) * (self.value if self.calls == self.call else 1.0)


def make_trainer(folder: Path, call: int = 0, value: float = 1.0, spoil: Spoil | None = None) -> SupervisedTrainer:
    """Three steps in each of four epochs, whose rates are 0.1, 0.05, 0.025..."""
    torch.manual_seed(0)
    network = TinyNetwork()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    scheduler = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=4,
        train_data_loader=DataLoader(Dataset(make_data()), batch_size=3),
        network=network,
        optimizer=optimizer,
        loss_function=SpoiledLoss(call, value),
        train_handlers=[
            LrScheduleHandler(scheduler, print_lr=False, step_transform=lambda engine: ()),
            TrainingCheckpoint(folder / "checkpoint.pt", network, optimizer, scheduler, (folder / "model.pt",)),
        ],
        decollate=False,
    )
    if spoil is not None:
        # the last step of an epoch ends with it
        trainer.optimizer.register_step_post_hook(lambda *_: spoil(trainer))
    return trainer


def after_steps(count: int, change: Spoil) -> Spoil:
    def spoil(trainer: SupervisedTrainer) -> None:
        if trainer.state.iteration == count:
            change(trainer)

    return spoil


def diverged(epoch: int, rate: str, what: str, folder: Path) -> str:
    return (
        f"The training diverged in epoch {epoch} at a learning rate of {rate}: {what} is not finite; the last good "
        f"weights, of epoch {epoch - 1}, are in {folder}/checkpoint.pt; train with a lower --learning_rate."
    )


def diverge(trainer: SupervisedTrainer) -> str:
    with pytest.raises(InputError) as raised:
        trainer.run()
    return str(raised.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("call", [2 * STEPS + 1, 2 * STEPS + 2, 3 * STEPS])
def test_the_training_stops_before_the_step_of_the_first_loss_that_is_not_finite(
    tmp_path: Path, call: int, value: float
) -> None:
    (tmp_path / "model.pt").write_bytes(b"an earlier training's")
    trainer = make_trainer(tmp_path, call, value)
    assert diverge(trainer) == diverged(3, "0.025", "the loss", tmp_path)
    assert trainer.state.iteration == call
    assert int(trainer.optimizer.state_dict()["state"][0]["step"]) == call - 1
    assert all(value.isfinite().all() for value in trainer.network.state_dict().values())
    assert (tmp_path / "model.pt").read_bytes() == b"an earlier training's"
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["epoch"] == 2
    load_network(TinyNetwork(), tmp_path / "checkpoint.pt")


def test_in_the_first_epoch_there_are_no_good_weights(tmp_path: Path) -> None:
    assert "no epoch was completed" in diverge(make_trainer(tmp_path, 1, float("nan")))
    assert not list(tmp_path.iterdir())


def test_going_on_says_the_same_again(tmp_path: Path) -> None:
    first = diverge(make_trainer(tmp_path, 2 * STEPS + 1, float("nan")))
    before = (tmp_path / "checkpoint.pt").read_bytes()
    # two epochs are done: the third begins with the first call
    assert diverge(make_trainer(tmp_path, 1, float("nan"))) == first
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def spoil_weight(trainer: SupervisedTrainer) -> None:
    with torch.no_grad():
        trainer.network.head.bias[1] = torch.nan


def spoil_statistics(trainer: SupervisedTrainer) -> None:
    trainer.network.norm.running_var[2] = torch.inf


def spoil_optimizer(trainer: SupervisedTrainer) -> None:
    trainer.optimizer.state[trainer.network.head.bias]["exp_avg_sq"][0] = torch.inf


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (spoil_weight, "network.head.bias"),
        (spoil_statistics, "network.norm.running_var"),
        (spoil_optimizer, "optimizer.5.exp_avg_sq"),
    ],
)
def test_what_the_last_step_of_an_epoch_spoils_is_not_saved(tmp_path: Path, change: Spoil, name: str) -> None:
    """None of the three shows in a loss of this epoch, and neither statistics nor optimizer in one of the next."""
    trainer = make_trainer(tmp_path, spoil=after_steps(2 * STEPS, change))
    assert diverge(trainer) == diverged(2, "0.05", f"'{name}'", tmp_path)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["epoch"] == 1
    assert not (tmp_path / "model.pt").exists()


def test_all_rates_are_named(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, 1, float("nan"))
    trainer.optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.01})
    assert "at a learning rate of 0.1 and 0.01: " in diverge(trainer)


def test_a_checkpoint_that_is_not_finite_is_not_gone_on_with(tmp_path: Path) -> None:
    make_trainer(tmp_path).run()
    path = tmp_path / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    content["network"]["norm.running_mean"][0] = torch.nan
    torch.save(content, path)
    message = f"{path} holds numbers that are not finite, first in 'network.norm.running_mean', as a training that "
    assert re.match(re.escape(message), diverge(make_trainer(tmp_path)))


def one_of_two(rank: int, folder: str) -> None:
    """Only the second process meets what is not finite: a loss in one training, a batch statistic in another."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)

    def spoil(trainer: SupervisedTrainer) -> None:
        trainer.network.module.norm.running_var[2] = torch.inf

    trainings = {
        "loss": make_trainer(Path(folder, "loss"), 2 * STEPS if rank == 1 else 0, float("nan")),
        "state": make_trainer(Path(folder, "state"), spoil=after_steps(2 * STEPS, spoil) if rank == 1 else None),
    }
    for name, trainer in trainings.items():
        trainer.network = nn.parallel.DistributedDataParallel(trainer.network)
        Path(folder, f"{name}{rank}.txt").write_text(diverge(trainer))
    torch.distributed.destroy_process_group()


def test_all_processes_stop_where_one_diverges(tmp_path: Path) -> None:
    assert start_processes(one_of_two, 2, str(tmp_path)) == [0, 0]
    for name, what in (("loss", "the loss"), ("state", "'network.norm.running_var'")):
        checkpoint = tmp_path / name / "checkpoint.pt"
        for rank in (0, 1):
            assert (tmp_path / f"{name}{rank}.txt").read_text() == diverged(2, "0.05", what, checkpoint.parent)
        assert torch.load(checkpoint, weights_only=True)["epoch"] == 1
