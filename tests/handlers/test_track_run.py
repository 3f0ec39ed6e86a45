# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.transforms import Identityd

from pipeline.handlers.track_run import TrackRun

from .processes import start_processes


class Recorder:
    """Keeps what a tracker is told."""

    def __init__(self) -> None:
        self.starts = self.epochs = 0
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.times: dict[str, list[int | None]] = {}
        self.statuses: list[str] = []
        self.devices: list[torch.device] = []

    def start(self) -> None:
        self.starts += 1

    def log_device(self, device: torch.device) -> None:
        self.devices.append(device)

    def log_metrics(self, metrics: Mapping[str, Any], step: int, timestamp: int | None = None) -> None:
        for key, value in metrics.items():
            self.points.setdefault(key, []).append((step, float(value)))
            self.times.setdefault(key, []).append(timestamp)

    def end_epoch(self) -> None:
        self.epochs += 1

    def close(self, status: str = "FINISHED") -> None:
        self.statuses.append(status)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def engine_of(process: Callable[[Engine], Any], metrics: Mapping[str, Any] | None = None) -> Engine:
    engine = Engine(lambda engine, batch: process(engine))
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: engine.state.metrics.update(metrics or {}))
    return engine


def optimizer(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.Adam([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


@pytest.mark.parametrize("length", [3, 64, 150])
def test_loss_and_rate_of_each_iteration(recorder: Recorder, length: int) -> None:
    engine = engine_of(lambda engine: {"loss": torch.tensor(engine.state.iteration / 4, requires_grad=True)})
    engine.optimizer = optimizer(1.0)  # type: ignore[attr-defined]
    engine.add_event_handler(
        Events.ITERATION_STARTED,
        lambda engine: engine.optimizer.param_groups[0].update(lr=1 / engine.state.iteration),
    )
    TrackRun(recorder, prefix="train/").attach(engine)  # type: ignore[arg-type]
    engine.run(range(length), max_epochs=2)
    iterations = range(1, 2 * length + 1)
    assert recorder.points == {
        "train/loss": [(iteration, iteration / 4) for iteration in iterations],
        "train/lr": [(iteration, 1 / iteration) for iteration in iterations],
    }
    assert (recorder.starts, recorder.epochs) == (1, 2)
    # the time is the iteration's, not that of the transfer
    assert recorder.times["train/loss"] == recorder.times["train/lr"]
    assert recorder.statuses == []


def test_losses_stay_where_they_are_until_the_epoch_ends(recorder: Recorder) -> None:
    engine = engine_of(lambda engine: {"loss": torch.tensor(1.0)})
    TrackRun(recorder).attach(engine)  # type: ignore[arg-type]
    seen = []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(len(recorder.points.get("loss", []))))
    engine.run(range(70))
    assert seen == [0] * 63 + [64] * 7
    assert len(recorder.points["loss"]) == 70


def test_several_parameter_groups(recorder: Recorder) -> None:
    engine = engine_of(lambda engine: 0.5)
    engine.optimizer = optimizer(0.1, 0.2)  # type: ignore[attr-defined]
    TrackRun(recorder).attach(engine)  # type: ignore[arg-type]
    engine.run([0])
    assert recorder.points == {"lr_0": [(1, 0.1)], "lr_1": [(1, 0.2)], "loss": [(1, 0.5)]}


@pytest.mark.parametrize("decollate", [True, False])
def test_monais_trainer(recorder: Recorder, decollate: bool) -> None:
    network = torch.nn.Conv2d(1, 1, 1)
    batch = {"image": torch.ones(2, 1, 4, 4), "label": torch.zeros(2, 1, 4, 4)}
    losses: list[float] = []

    def loss(pred: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        value = torch.nn.functional.mse_loss(pred, label)
        losses.append(value.item())
        return value

    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=[batch] * 3,
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=loss,
        postprocessing=Identityd("pred") if decollate else None,
        decollate=decollate,
        train_handlers=[TrackRun(recorder)],  # type: ignore[arg-type]
    ).run()
    assert recorder.points["loss"] == list(enumerate(losses, 1))
    assert recorder.points["lr"] == [(iteration, 0.1) for iteration in range(1, 7)]
    assert recorder.devices == [torch.device("cpu")]


def _track(rank: int, folder: Path, fails: int | None) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)

    def process(engine: Engine) -> dict[str, torch.Tensor]:
        if rank == fails and engine.state.iteration == 66:
            raise ValueError("broken")
        return {"loss": torch.tensor(float(engine.state.iteration + 10 * rank))}

    recorder = Recorder()
    engine = engine_of(process)
    TrackRun(recorder).attach(engine)  # type: ignore[arg-type]
    with nullcontext() if fails is None else pytest.raises(ValueError, match="broken"):
        engine.run(range(70))
    (folder / f"{rank}.json").write_text(json.dumps(recorder.points["loss"]))


def test_the_loss_of_several_processes_is_their_mean(tmp_path: Path) -> None:
    assert start_processes(_track, 2, tmp_path, None) == [0, 0]
    assert json.loads((tmp_path / "0.json").read_text()) == [[step, step + 5.0] for step in range(1, 71)]


def test_a_process_that_fails_waits_for_no_other(tmp_path: Path) -> None:
    def fail(rank: int) -> list[list[float]]:
        folder = tmp_path / str(rank)
        folder.mkdir()
        start_processes(_track, 2, folder, rank)
        return list(json.loads((folder / f"{rank}.json").read_text()))

    # what is not the mean is not logged
    assert fail(0) == fail(1) == [[step, step + 5.0] for step in range(1, 65)]


def test_scalars_of_an_epoch_and_nothing_else(recorder: Recorder) -> None:
    metrics = {
        "number": 1,
        "tensor": torch.tensor([0.5]),
        "array": np.array(0.25),
        "numpy": np.float32(2),
        "vector": torch.zeros(2),
        "list": [1.0],
        "text": "x",
        "none": None,
    }
    engine = engine_of(lambda engine: None, metrics)
    TrackRun(recorder, iteration_metrics=False, prefix="test/").attach(engine)  # type: ignore[arg-type]
    engine.run([0, 0], max_epochs=2)
    assert recorder.points == {
        "test/number": [(1, 1), (2, 1)],
        "test/tensor": [(1, 0.5), (2, 0.5)],
        "test/array": [(1, 0.25), (2, 0.25)],
        "test/numpy": [(1, 2), (2, 2)],
    }


def test_the_step_of_an_evaluator_can_be_the_trainers_epoch(recorder: Recorder) -> None:
    engine = engine_of(lambda engine: None, {"DIC": 0.5})
    TrackRun(recorder, iteration_metrics=False, step=lambda _: 7).attach(engine)  # type: ignore[arg-type]
    engine.run([0])
    assert recorder.points == {"DIC": [(7, 0.5)]}


def test_metrics_against_epsilon_are_one_curve_each(recorder: Recorder) -> None:
    metrics = {"DIC": 0.97, "JSC": 0.94, "DIC_eps_32.0": 0.1, "DIC_eps_00.5": 0.96, "DIC_eps_08.0": 0.4}
    metrics |= {"JSC_eps_08.0": 0.3, "HD_eps_02.0": 5.0, "DIC_eps_0.25": 0.965}
    engine = engine_of(lambda engine: None, metrics)
    TrackRun(recorder, iteration_metrics=False, prefix="test/").attach(engine)  # type: ignore[arg-type]
    engine.run([0])
    assert recorder.points == {
        "test/DIC": [(1, 0.97)],
        # MLflow's steps are whole numbers
        "test/DIC_eps_0.25": [(1, 0.965)],
        "test/JSC": [(1, 0.94)],
        "test/DIC_vs_eps": [(0, 0.97), (5, 0.96), (80, 0.4), (320, 0.1)],
        "test/JSC_vs_eps": [(0, 0.94), (80, 0.3)],
        "test/HD_vs_eps": [(20, 5.0)],
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("broken"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(143), "KILLED")],
)
def test_an_exception_ends_the_run_and_goes_on(recorder: Recorder, error: BaseException, status: str) -> None:
    def process(engine: Engine) -> dict[str, torch.Tensor]:
        if engine.state.iteration == 3:
            raise error
        return {"loss": torch.tensor(1.0)}

    engine = engine_of(process)
    TrackRun(recorder).attach(engine)  # type: ignore[arg-type]
    with pytest.raises(type(error)) as raised:
        engine.run(range(5))
    assert raised.value is error
    assert recorder.statuses[0] == status
    assert recorder.points["loss"] == [(1, 1.0), (2, 1.0)]
