# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import ignite.distributed as idist
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.transforms import RandGaussianNoised
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from pipeline.handlers import EpochSeed, TrainingCheckpoint, first_seed
from pipeline.utils import InputError
from pipeline.utils.errors import interruption_sentence
from pipeline.weights import load_network

from .engines import At, Interrupted, TinyNetwork, assert_same_weights, interrupt, make_resumable_trainer
from .processes import start_processes

pytestmark = pytest.mark.usefixtures("one_thread")

EPOCHS = 5


def make_trainer(folder: Path, max_epochs: int = EPOCHS, handlers: tuple[Any, ...] = ()) -> SupervisedTrainer:
    """With dropout and a random transform. The start is the same each time."""
    torch.manual_seed(0)
    network = TinyNetwork()
    # what is drawn before the training starts must not matter
    torch.manual_seed(np.random.SeedSequence().generate_state(1).item())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    # the rate falls after every epoch
    scheduler = ReduceLROnPlateau(optimizer, factor=0.7, patience=0, threshold=0.9, min_lr=0.01)
    noise = RandGaussianNoised(keys="image", prob=0.5, std=0.2)
    seed = EpochSeed(seed=3, transform=noise)
    return make_resumable_trainer(folder, network, optimizer, scheduler, max_epochs, [seed], handlers, noise)


def steps_taken(trainer: SupervisedTrainer) -> int:
    return int(trainer.optimizer.state_dict()["state"][0]["step"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The final weights of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    trainer = make_trainer(folder)
    trainer.run()
    rate = trainer.optimizer.param_groups[0]["lr"]
    assert steps_taken(trainer) == 3 * EPOCHS and rate == pytest.approx(0.05 * 0.7**4)
    return torch.load(folder / "model.pt", weights_only=True)


def test_a_training_can_be_repeated(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        make_trainer(tmp_path / name).run()
        assert_same_weights(tmp_path / name, whole)
    # the files' hashes are those of the weights: a report names the one, a package holds the other
    assert (tmp_path / "one/model.pt").read_bytes() == (tmp_path / "other/model.pt").read_bytes()


@pytest.mark.parametrize(
    "event",
    [
        Events.EPOCH_STARTED(once=3),
        Events.ITERATION_COMPLETED(once=1),
        Events.ITERATION_COMPLETED(once=8),
        Events.EPOCH_COMPLETED(once=1),
        Events.EPOCH_COMPLETED(once=EPOCHS),
    ],
    ids=["after_epoch_2", "first_step", "within_epoch_3", "after_epoch_1", "after_the_last_epoch"],
)
def test_an_interrupted_training_ends_in_the_same_weights(tmp_path: Path, whole, event: Any) -> None:
    with pytest.raises(Interrupted):
        make_trainer(tmp_path, handlers=(At(event, interrupt),)).run()
    assert not (tmp_path / "model.pt").exists()
    trainer = make_trainer(tmp_path)
    trainer.run()
    assert_same_weights(tmp_path, whole)
    assert trainer.state.epoch == EPOCHS and trainer.state.iteration == 3 * EPOCHS


def test_the_resumed_training_starts_after_the_last_complete_epoch(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        make_trainer(tmp_path, handlers=(At(Events.ITERATION_COMPLETED(once=8), interrupt),)).run()
    seen: list[tuple[int, int]] = []
    note = At(Events.ITERATION_STARTED, lambda engine: seen.append((engine.state.epoch, engine.state.iteration)))
    make_trainer(tmp_path, handlers=(note,)).run()
    assert seen == [(1 + (step - 1) // 3, step) for step in range(7, 3 * EPOCHS + 1)]


def test_a_complete_training_is_not_trained_again(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    make_trainer(tmp_path).run()
    make_trainer(tmp_path, handlers=(At(Events.ITERATION_STARTED, interrupt),)).run()
    assert_same_weights(tmp_path, whole)


def killed_training(rank: int, folder: str, moment: int) -> None:
    """Train until the ``moment``-th call of something, then die at once."""
    torch.set_num_threads(1)
    calls = 0
    save, forward = torch.save, TinyNetwork.forward

    def kill() -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def half_written(content: object, file: BinaryIO) -> None:
        memory = BytesIO()
        save(content, memory)
        whole = memory.getvalue()
        file.write(whole[: len(whole) // 2])
        file.flush()
        kill()
        file.write(whole[len(whole) // 2 :])

    def killing_forward(self: TinyNetwork, x: torch.Tensor) -> torch.Tensor:
        kill()
        return forward(self, x)

    torch.save = half_written
    TinyNetwork.forward = killing_forward  # type: ignore[method-assign]
    make_trainer(Path(folder)).run()


# 3 steps and 1 saving make an epoch: moments in the midst of a step and of writing a checkpoint
@pytest.mark.parametrize("moment", [4, 7, 8, 14])
def test_kill_9_at_any_moment(tmp_path: Path, whole: dict[str, torch.Tensor], moment: int) -> None:
    assert start_processes(killed_training, 1, str(tmp_path), moment) == [-signal.SIGKILL]
    make_trainer(tmp_path).run()
    assert_same_weights(tmp_path, whole)


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(content: object, file: BinaryIO) -> None:
        file.write(b"half a checkpoint")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path, whole, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        make_trainer(tmp_path, handlers=(At(Events.EPOCH_STARTED(once=3), interrupt),)).run()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with monkeypatch.context() as patched:
        fill_disk(patched)
        with pytest.raises(InputError, match=r"checkpoint.pt cannot be written \(\[Errno 28\] No space left"):
            make_trainer(tmp_path).run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    make_trainer(tmp_path).run()
    assert_same_weights(tmp_path, whole)


def save_other(path: Path) -> None:
    torch.save({"network": nn.Conv2d(1, 4, 3).state_dict(), "epoch": 1}, path)


def truncate(path: Path) -> None:
    torch.save(TinyNetwork().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-100])


DAMAGED = "{path} is not a PyTorch file of weights, or is damaged; remove it or name another."
BAD_FILES = [
    (truncate, DAMAGED),
    (lambda path: path.write_bytes(b""), DAMAGED),
    (lambda path: path.write_text("hello, no weights\n"), DAMAGED),
    (lambda path: path.write_bytes(b"\x80\x02}q\x00(X\x85\x85"), DAMAGED),
    (lambda path: torch.save(torch.zeros(2), path), "{path} holds no state dict; name a file of weights."),
    (
        save_other,
        "{path} holds the weights of another network: 10 of its names or shapes differ from TinyNetwork's, the first "
        "is 'bias'; name the weights of this network.",
    ),
]


@pytest.mark.parametrize(
    "write, message", BAD_FILES, ids=["truncated", "empty", "text", "bytes", "tensor", "other_network"]
)
def test_bad_files(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "checkpoint.pt"
    write(path)
    before = path.read_bytes()
    for use in (lambda: load_network(TinyNetwork(), path), make_trainer(tmp_path).run):
        with pytest.raises(InputError, match=f"^{re.escape(message.format(path=path))}$"):
            use()
    assert path.read_bytes() == before


def test_resume_from_weights_alone(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"network": TinyNetwork().state_dict()}, path)
    with pytest.raises(InputError) as raised:
        make_trainer(tmp_path).run()
    assert (
        str(raised.value) == f"{path} is no checkpoint of a training: it has no 'optimizer'; remove it or name another."
    )


def test_load_network_without_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    message = f"ckpt_path: there is no file {path}; train first, or name the weights with --ckpt_path."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_network(TinyNetwork(), path)


@pytest.mark.parametrize("name", ["checkpoint.pt", "model.pt"])
def test_load_network_reads_checkpoints_and_weights(tmp_path: Path, whole, name: str) -> None:
    make_trainer(tmp_path).run()
    network = TinyNetwork()
    load_network(network, tmp_path / name)
    assert all(torch.equal(tensor, whole[key]) for key, tensor in network.state_dict().items())


def end_of(name: str, rank: int, folder: str) -> None:
    """One of two processes whose batch normalization has seen other images."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    network = nn.BatchNorm2d(2)
    network.running_mean += rank + 1
    optimizer = torch.optim.Adam(network.parameters())
    scheduler = ReduceLROnPlateau(optimizer)
    checkpoint = TrainingCheckpoint(f"{folder}/c.pt", network, optimizer, scheduler, (f"{folder}/final.pt",))
    getattr(checkpoint, name)(Engine(lambda *_: None))
    torch.save(network.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", ["save", "save_final"])
def test_all_processes_go_on_and_end_with_what_is_written(name: str, tmp_path: Path) -> None:
    assert start_processes(partial(end_of, name), 2, str(tmp_path)) == [0, 0]
    files = [torch.load(tmp_path / f"{rank}.pt") for rank in ("0", "1")]
    files += [torch.load(tmp_path / "final.pt") if name == "save_final" else torch.load(tmp_path / "c.pt")["network"]]
    assert all(torch.equal(file["running_mean"], torch.ones(2)) for file in files)


def test_processes_do_not_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for rank in (0, 1):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        engine = Engine(lambda *_: None)
        EpochSeed(seed=5).attach(engine)
        engine.add_event_handler(Events.EPOCH_STARTED, lambda: drawn.append(torch.rand(1).item()))
        engine.run([0], max_epochs=3)
    assert len(set(drawn)) == 6


def test_two_trainings_have_no_epoch_in_common() -> None:
    seeds = [{first_seed(seed) + epoch for epoch in range(1, 501)} for seed in range(20)]
    assert len(set.union(*seeds)) == 20 * 500
    assert first_seed(0) == 0


def test_epoch_seed_makes_each_epoch_its_own() -> None:
    drawn: dict[int, tuple[float, float, float]] = {}
    noise = RandGaussianNoised(keys="image", prob=1.0)

    def draw(engine: Engine) -> None:
        noise.randomize(torch.zeros(1))
        drawn[engine.state.epoch] = (torch.rand(1).item(), np.random.rand(), noise.R.rand())  # noqa: NPY002

    for max_epochs in (3, 2):
        engine = Engine(lambda *_: None)
        seed = EpochSeed(seed=5, transform=noise)
        seed.attach(engine)
        seed.attach(engine)
        engine.add_event_handler(Events.EPOCH_STARTED, draw)
        before = dict(drawn)
        engine.run([0], max_epochs=max_epochs)
        assert all(drawn[epoch] == values for epoch, values in before.items())
    assert len({value for values in drawn.values() for value in values}) == 9


def test_an_interruption_says_which_epoch_is_kept(tmp_path: Path) -> None:
    def stop_in_the_second(engine: Engine) -> None:
        sentences.append(interruption_sentence())
        if engine.state.iteration == 5:
            interrupt(engine)

    go_on = "Type the same command again to go on."
    sentences: list[str] = []
    with pytest.raises(Interrupted):
        make_trainer(tmp_path, handlers=(At(Events.ITERATION_COMPLETED, stop_in_the_second),)).run()
    assert sentences[0] == f"Interrupted before the end of the first epoch. {go_on}"
    assert sentences[-1] == interruption_sentence() == f"Interrupted after epoch 1. {go_on}"
    sentences.clear()
    make_trainer(
        tmp_path, handlers=(At(Events.ITERATION_COMPLETED, lambda _: sentences.append(interruption_sentence())),)
    ).run()
    # resumed, and it says so from its first step
    assert list(dict.fromkeys(sentences)) == [f"Interrupted after epoch {epoch}. {go_on}" for epoch in range(1, EPOCHS)]
    assert interruption_sentence() == f"Interrupted after epoch {EPOCHS}. {go_on}"
