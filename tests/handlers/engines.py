# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from ignite.metrics import Average
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import IgniteMetricHandler, LrScheduleHandler, from_engine
from monai.metrics import DiceMetric, MeanIoU
from monai.transforms import AsDiscreted
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DistributedSampler

from pipeline.handlers import TrainingCheckpoint, WeightAverage
from pipeline.losses import PixelCrossEntropy

# what the tests of the handlers train and evaluate: a small network, and images of which the third and the last have
# no lung


class TinyNetwork(nn.Module):
    """Bright is lung, roughly; batch normalization and dropout show whether it is left in the right mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = 4 * (x - 0.5)
        return self.head(self.dropout(torch.tanh(self.norm(self.conv(x))))) + torch.cat([-bright, bright], dim=1)


def make_network(seed: int = 0) -> TinyNetwork:
    torch.manual_seed(seed)
    return TinyNetwork().train()


def make_data(count: int = 7) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    data = []
    for index in range(count):
        image = torch.rand(1, 12, 10, generator=generator)
        label = ((image + 0.3 * torch.rand(1, 12, 10, generator=generator)) > 0.7).float()
        if index in (2, count - 1):
            label = torch.zeros_like(label)
        if index == count - 1:
            # nothing to be found either: an empty prediction of an empty mask
            image = 0.01 * image
        data.append({"image": image, "label": label, "id": f"image{index}"})
    return data


def make_evaluator(
    network: nn.Module, data: Sequence[dict[str, Any]] | None = None, handlers: Sequence[Any] = (), batch_size: int = 3
) -> SupervisedEvaluator:
    """As the bundle's evaluator: DIC and JSC of the foreground, defined for empty masks too."""
    output = from_engine(["pred", "label"])
    options = {"include_background": False, "ignore_empty": False}
    metrics = {
        name: IgniteMetricHandler(metric_fn=metric(**options), output_transform=output)
        for name, metric in (("DIC", DiceMetric), ("JSC", MeanIoU))
    }
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(make_data() if data is None else data), batch_size=batch_size),
        network=network,
        postprocessing=AsDiscreted(keys=["pred", "label"], argmax=[True, False], to_onehot=2),
        key_val_metric={"DIC": metrics["DIC"]},
        additional_metrics={"JSC": metrics["JSC"]},
        val_handlers=list(handlers),
    )


class Interrupted(Exception):
    """What a test raises where a user would interrupt."""


class FailingLoader:
    """Batches of a loader, and ``Interrupted`` after the first few."""

    def __init__(self, loader: DataLoader, batches: int) -> None:
        self.loader = loader
        self.batches = batches

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        for index, batch in enumerate(self.loader):
            if index == self.batches:
                raise Interrupted
            yield batch


class At:
    """Do something at an event."""

    def __init__(self, event: Any, action: Callable[[Engine], object]) -> None:
        self.event = event
        self.action = action

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(self.event, self.action)


def interrupt(engine: Engine) -> None:
    raise Interrupted


def make_resumable_trainer(
    folder: Path,
    network: nn.Module,
    optimizer: Optimizer,
    scheduler: ReduceLROnPlateau,
    max_epochs: int,
    first: Sequence[Any],
    last: Sequence[Any],
    transform: Any = None,
    average: WeightAverage | None = None,
) -> SupervisedTrainer:
    """As the bundle's, with 3 steps per epoch, a checkpoint after each, and handlers before and after these."""
    dataset = Dataset(make_data(), transform=transform)
    sampler = DistributedSampler(dataset, num_replicas=1, rank=0, seed=0)
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=max_epochs,
        train_data_loader=DataLoader(dataset, batch_size=3, sampler=sampler),
        network=network,
        optimizer=optimizer,
        loss_function=PixelCrossEntropy(),
        key_train_metric={"epoch_loss": Average(output_transform=lambda output: output["loss"].item())},
        train_handlers=[
            *first,
            LrScheduleHandler(scheduler, print_lr=False, step_transform=lambda e: e.state.metrics["epoch_loss"]),
            TrainingCheckpoint(
                folder / "checkpoint.pt", network, optimizer, scheduler, (folder / "model.pt",), average
            ),
            *last,
        ],
        decollate=False,
    )


def assert_same_weights(folder: Path, whole: dict[str, torch.Tensor]) -> None:
    found = torch.load(folder / "model.pt", weights_only=True)
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], whole[name]) for name in whole)
