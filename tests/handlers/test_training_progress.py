# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import tqdm
from ignite.engine import Engine, Events

from pipeline.handlers import TrainingProgress
from tests.utils.test_progress import Terminal

from .test_training_checkpoint import At, make_trainer


def run(
    folder: Path, max_epochs: int, progress: bool = True, stream: io.StringIO | None = None
) -> tuple[str, list[tuple[float, float]]]:
    """What is shown of a training of 3 steps per epoch, and mean loss and learning rate of each of its epochs."""
    seen: list[tuple[float, float]] = []
    rates: list[float] = []

    def note(engine: Engine) -> None:
        seen.append((engine.state.metrics["epoch_loss"], rates[-1]))

    trainer = make_trainer(folder, max_epochs, (At(Events.EPOCH_COMPLETED, note),))
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: rates.append(trainer.optimizer.param_groups[0]["lr"]))
    handler = TrainingProgress(trainer.optimizer, progress)
    for _ in range(2):  # attached twice, it shows everything once
        handler.attach(trainer)
    with redirect_stderr(stream or io.StringIO()) as shown:
        trainer.run()
    return shown.getvalue(), seen


def test_a_line_for_each_epoch_without_a_terminal(tmp_path: Path) -> None:
    shown, seen = run(tmp_path, 3)
    lines = shown.splitlines()
    assert len(lines) == len(seen) == 3
    # the rate with which the epoch was trained: the scheduler lowers it behind the second
    assert [rate for _, rate in seen] == pytest.approx([0.05, 0.05, 0.05 * 0.7])
    for epoch, (line, (loss, rate)) in enumerate(zip(lines, seen, strict=True), start=1):
        left = "" if epoch == 3 else r", 00:0\d left"
        expected = rf"training: epoch {epoch}/3, loss {loss:.4f}, learning rate {re.escape(f'{rate:.2e}')}{left}"
        assert re.fullmatch(expected, line)


def test_a_resumed_training_shows_the_epochs_that_follow(tmp_path: Path) -> None:
    run(tmp_path, 1, progress=False)
    shown, _ = run(tmp_path, 3, progress=False)
    assert [line.split(",")[0] for line in shown.splitlines()] == ["training: epoch 2/3", "training: epoch 3/3"]


def test_one_bar_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.utils.progress.tqdm", EveryStep)
    run(tmp_path, 1)
    shown, _ = run(tmp_path, 2, stream=Terminal())
    assert shown.count("\n") == 1
    # from where the first has ended
    assert "3/6" in shown.split("\r")[1]
    last = shown.split("\r")[-1]
    assert "100%" in last and "6/6" in last
    assert re.search(r"epoch=2/2, loss=\d\.\d{4}, lr=\d\.\d\de-02", last)


class EveryStep(tqdm.tqdm):  # type: ignore[type-arg]
    """A bar that is drawn at every step, however quick they are."""

    def __init__(self, **options: object) -> None:
        super().__init__(mininterval=0, **options)
